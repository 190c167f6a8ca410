#include "tests/sim/bird.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pipe_names[FAMILIES] = {"popgate4_pipe", "popgate6_pipe"};

void model_init(struct model *model)
{
    model->include_line = true;
    for (unsigned plot = 0; plot < SCENE_PLOTS; plot++) {
        for (unsigned k = 0; k < PLOT_PREFIXES; k++) {
            scene_prefix(plot, k, model->prefixes[plot * PLOT_PREFIXES + k].text);
        }
    }
}

// The inverse of scene_prefix().
static size_t prefix_index(const char *text)
{
    bool ipv6 = strchr(text, ':') != NULL;
    const char *last = ipv6 ? strstr(text, "::") + 2 : strrchr(text, '.') + 1;
    size_t plot = strtoul(last, NULL, ipv6 ? 16 : 10) - 1;
    size_t k = ipv6 ? 2 : text[1] == '9' && text[2] == '8' ? 1 : 0;
    return plot * PLOT_PREFIXES + k;
}

const struct model_prefix *model_prefix(const struct model *model, const char *text)
{
    return &model->prefixes[prefix_index(text)];
}

// ---- The include file

static void begin_protocol(struct model_conf *conf, const char *name)
{
    struct model_protocol *protocol = &conf->protocols[conf->protocol_count++];
    *protocol = (struct model_protocol){.service = scene_number(name + strlen("popgate_")),
                                        .drain = strstr(name, "_drain") != NULL,
                                        .family = strstr(name, "_v6") != NULL};
    snprintf(protocol->name, sizeof protocol->name, "%s", name);
}

static void read_line(struct model_conf *conf, const char *line)
{
    char word[MODEL_NAME_MAX];
    struct model_protocol *last =
        conf->protocol_count > 0 ? &conf->protocols[conf->protocol_count - 1] : NULL;
    if (strncmp(line, "    route ", 10) == 0 && last != NULL) {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(line + 10, " "), line + 10);
        last->prefixes[last->prefix_count++] = prefix_index(word);
    } else if (strncmp(line, "    disabled ", 13) == 0 && last != NULL) {
        last->enabled = strncmp(line + 13, "off", 3) == 0;
    } else if (strncmp(line, "protocol static ", 16) == 0) {
        snprintf(word, sizeof word, "%.*s", (int)strcspn(line + 16, " "), line + 16);
        begin_protocol(conf, word);
    } else if (strncmp(line, "protocol pipe popgate", 21) == 0) {
        conf->pipes[line[21] == '6'] = true;
    } else if (strncmp(line, "# Revision ", 11) == 0) {
        snprintf(conf->revision, sizeof conf->revision, "%.*s", (int)strcspn(line + 11, "\n"),
                 line + 11);
    }
}

bool model_read(const struct model_file *file, struct model_conf *out)
{
    out->protocol_count = 0;
    out->pipes[FAMILY_V4] = out->pipes[FAMILY_V6] = false;
    out->revision[0] = '\0';
    const char *at = file->text;
    const char *end = file->text + (file->exists ? file->length : 0);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            return false;
        }
        if (*at == ' ' || *at == 'p' || *at == '#') {
            read_line(out, at);
        }
        at = newline + 1;
    }
    return out->revision[0] != '\0';
}

void model_revision(const struct model_file *file, char out[MODEL_REVISION_MAX])
{
    static const char mark[] = "\n# Revision ";
    size_t length = file->exists ? file->length < 400 ? file->length : 400 : 0;
    const char *at = memmem(file->text, length, mark, sizeof mark - 1);
    snprintf(out, MODEL_REVISION_MAX, "%.*s", at != NULL ? 16 : 0,
             at != NULL ? at + sizeof mark - 1 : "");
}

static void find_owners(struct model *model)
{
    for (size_t i = 0; i < MODEL_PREFIXES; i++) {
        model->prefixes[i].primary = model->prefixes[i].twin = NULL;
    }
    for (size_t i = 0; i < model->loaded.protocol_count; i++) {
        const struct model_protocol *protocol = &model->loaded.protocols[i];
        for (size_t j = 0; j < protocol->prefix_count; j++) {
            struct model_prefix *prefix = &model->prefixes[protocol->prefixes[j]];
            *(protocol->drain ? &prefix->twin : &prefix->primary) = protocol;
        }
    }
}

// Protocols that were there keep what `enable` and `disable` made of them only if the file says the
// same (bird-facts 4).
static void load(struct model *model)
{
    struct model_conf *loaded = &model->loaded;
    bool there = model->include_line && model->disk.exists;
    if (there && !model_read(&model->disk, loaded)) {
        fprintf(stderr, "sim: BIRD was given a file that can't be read\n");
        abort();
    }
    if (!there) {
        *loaded = (struct model_conf){.protocol_count = 0};
    }
    model->pipe_enabled[FAMILY_V4] = model->pipe_enabled[FAMILY_V6] = true;
    find_owners(model);
}

// ---- What neighbours see

static bool is_on(const struct model *model, const struct model_protocol *protocol)
{
    return protocol != NULL && protocol->enabled && model->pipe_enabled[protocol->family];
}

// The best route by preference (bird-facts 11), then the session's export filter.
static enum view best(const struct model *model, const struct model_prefix *prefix)
{
    if (is_on(model, prefix->primary)) {
        return VIEW_PRIMARY;
    }
    if (is_on(model, prefix->twin)) {
        return VIEW_DRAIN;
    }
    return prefix->device && model->leaks ? VIEW_OTHER : VIEW_NONE;
}

bool model_has(const struct model *model, unsigned place)
{
    const struct model_prefix *prefix = &model->prefixes[place];
    return model->running && (is_on(model, prefix->primary) || is_on(model, prefix->twin));
}

void model_see(struct model *model)
{
    model->switched++;
    for (size_t i = 0; i < MODEL_PREFIXES; i++) {
        struct model_prefix *prefix = &model->prefixes[i];
        enum view view = model->running ? best(model, prefix) : VIEW_NONE;
        for (size_t session = 0; session < MODEL_SESSIONS; session++) {
            enum view seen = model->established[session] ? view : VIEW_NONE;
            model->changes += seen != prefix->seen[session];
            prefix->seen[session] = seen;
        }
    }
}

bool model_configure(struct model *model)
{
    if (!model->broken) {
        load(model);
        model_see(model);
    }
    return !model->broken;
}

void model_start(struct model *model)
{
    model->running = true;
    model->hung = false;
    load(model);
    model_see(model);
}

void model_stop(struct model *model)
{
    model->running = model->hung = false;
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        model->established[i] = false;
    }
    model_see(model);
}

static bool matches(const char *pattern, const char *name)
{
    return strpbrk(pattern, "*?") != NULL ? fnmatch(pattern, name, 0) == 0
                                          : strcmp(pattern, name) == 0;
}

bool model_switch(struct model *model, const char *pattern, bool enable)
{
    bool any = false;
    for (size_t i = 0; i < model->loaded.protocol_count; i++) {
        struct model_protocol *protocol = &model->loaded.protocols[i];
        if (matches(pattern, protocol->name)) {
            protocol->enabled = enable;
            any = true;
        }
    }
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (model->loaded.pipes[family] && matches(pattern, pipe_names[family])) {
            model->pipe_enabled[family] = enable;
            any = true;
        }
    }
    model_see(model);
    return any;
}

// ---- Answers

struct answer {
    model_answer_cb say;
    void *arg;
};

__attribute__((format(printf, 4, 5))) static void
say(const struct answer *answer, enum bird_line_kind kind, unsigned code, const char *text, ...)
{
    char buffer[256];
    va_list args;
    va_start(args, text);
    int length = vsnprintf(buffer, sizeof buffer, text, args);
    va_end(args);
    struct bird_line line = {.kind = kind, .code = code, .text = buffer, .length = (size_t)length};
    answer->say(answer->arg, &line);
}

static bool has_protocol(const struct model *model, const char *name)
{
    size_t i = 0;
    while (i < model->loaded.protocol_count && strcmp(model->loaded.protocols[i].name, name) != 0) {
        i++;
    }
    return i < model->loaded.protocol_count;
}

static void answer_switch(struct model *model, const struct answer *answer, const char *command)
{
    bool enable = command[0] == 'e';
    char pattern[MODEL_NAME_MAX];
    const char *what = strchr(command, ' ') + 1;
    bool quoted = what[0] == '"';
    snprintf(pattern, sizeof pattern, "%.*s", (int)strcspn(what + quoted, "\""), what + quoted);
    bool before[MODEL_PROTOCOLS] = {false};
    for (size_t i = 0; i < model->loaded.protocol_count; i++) {
        before[i] = model->loaded.protocols[i].enabled;
    }
    if (!quoted && !has_protocol(model, pattern)) { // known before anything else (bird-facts 34)
        say(answer, BIRD_LAST, BIRD_CODE_SYNTAX,
            "syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN or TEXT or ALL");
        return;
    }
    if (model->refuses) {
        say(answer, BIRD_LAST, BIRD_CODE_ACCESS_DENIED, "Access denied");
        return;
    }
    if (!model_switch(model, pattern, enable)) {
        say(answer, BIRD_LAST, BIRD_CODE_NO_PROTOCOL, "No protocols match");
        return;
    }
    for (size_t i = 0; i < model->loaded.protocol_count; i++) {
        const char *name = model->loaded.protocols[i].name;
        if (matches(pattern, name)) {
            unsigned code = (enable ? 10 : 8) + (before[i] != enable);
            say(answer, BIRD_LINE, code, "%s: %s%s", name, before[i] == enable ? "already " : "",
                enable ? "enabled" : "disabled");
        }
    }
    say(answer, BIRD_LAST, BIRD_CODE_OK, "%s", "");
}

static void say_pipe(const struct model *model, const struct answer *answer, unsigned family)
{
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL,
        "%s Pipe       ---        %-6s 00:22:45.151  master4 <=> popgate4", pipe_names[family],
        model->pipe_enabled[family] ? "up" : "down");
}

static void say_static(const struct answer *answer, const struct model_protocol *protocol)
{
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL, "%-10s Static     popgate4   %-6s 00:22:45.151  ",
        protocol->name, protocol->enabled ? "up" : "down");
}

// `show protocols "PATTERN"`
static void answer_some_protocols(const struct model *model, const struct answer *answer,
                                  const char *command)
{
    char pattern[MODEL_NAME_MAX];
    bool any = false;
    if (sscanf(command, "show protocols \"%63[^\"]\"", pattern) != 1) {
        abort();
    }
    for (size_t i = 0; i < model->loaded.protocol_count; i++) {
        if (matches(pattern, model->loaded.protocols[i].name)) {
            say_static(answer, &model->loaded.protocols[i]);
            any = true;
        }
    }
    say(answer, BIRD_LAST, any ? BIRD_CODE_OK : BIRD_CODE_NO_PROTOCOL, "%s", "");
}

static void answer_protocols(const struct model *model, const struct answer *answer)
{
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_HEADING,
        "Name       Proto      Table      State  Since         Info");
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL,
        "ospf1      OSPF       master4    up     00:22:45.151  Running");
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL,
        "device1    Device     ---        up     00:22:45.151  ");
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (model->loaded.pipes[family]) {
            say_pipe(model, answer, family);
        }
    }
    for (size_t i = 0; i < model->loaded.protocol_count; i++) {
        say_static(answer, &model->loaded.protocols[i]);
    }
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL,
            "up%zu        BGP        ---        %-6s 00:22:45.151  %s", i,
            model->established[i] ? "up" : "start",
            model->established[i] ? "Established" : "Connect");
    }
    say(answer, BIRD_LAST, BIRD_CODE_OK, "%s", "");
}

// Sessions with an even number know graceful restart.
static void answer_session(const struct model *model, const struct answer *answer, unsigned session)
{
    if (session >= MODEL_SESSIONS) {
        abort();
    }
    bool established = model->established[session];
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL,
        "up%u        BGP        ---        %-6s 00:22:45.151  %s", session,
        established ? "up" : "start", established ? "Established" : "Connect");
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "    Neighbor address: 192.0.2.%u", session);
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "    Neighbor AS:      64513");
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "    Local AS:         64512");
    if (established) {
        say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "    Local capabilities");
        if (session % 2 == 0) {
            say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "      Graceful restart");
            say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "        Restart time: 120");
        }
        say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "    Session:          external AS4");
        say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "    Hold timer:       184.986/240");
    }
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "  Channel ipv4");
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "  Channel ipv6");
    say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL,
        "      Export updates:              4          1          1          0        ---          "
        "0 %10" PRIu64,
        model->changes);
    say(answer, BIRD_LAST, BIRD_CODE_OK, "%s", "");
}

static void answer_bfd(const struct answer *answer)
{
    say(answer, BIRD_LINE, BIRD_CODE_BFD, "bfd1:");
    say(answer, BIRD_LINE, BIRD_CODE_BFD,
        "192.0.2.0                 eth0       Up         18:18:44.334    0.100    0.500");
    say(answer, BIRD_LAST, BIRD_CODE_OK, "%s", "");
}

static void answer_revision(const struct model *model, const struct answer *answer)
{
    bool any = false;
    for (unsigned family = 0; family < FAMILIES; family++) {
        if (model->loaded.pipes[family]) {
            say_pipe(model, answer, family);
            say(answer, BIRD_LINE, BIRD_CODE_PROTOCOL_DETAIL, "  Description:    popgate %s",
                model->loaded.revision);
            any = true;
        }
    }
    say(answer, BIRD_LAST, any ? BIRD_CODE_OK : BIRD_CODE_NO_PROTOCOL, "%s",
        any ? "" : "No protocols match");
}

static void answer_route(const struct model *model, const struct answer *answer,
                         const char *command)
{
    char text[PREFIX_TEXT_MAX];
    char digit[2];
    if (sscanf(command, "show route %49s export 'up%1[0-9]' all", text, digit) != 2) {
        abort();
    }
    unsigned session = (unsigned)(digit[0] - '0');
    if (session >= MODEL_SESSIONS) {
        abort();
    }
    const struct model_prefix *prefix = &model->prefixes[prefix_index(text)];
    const char *protocol = "direct1";
    switch (prefix->seen[session]) {
    case VIEW_NONE:
        say(answer, BIRD_LAST, model->established[session] ? BIRD_CODE_NO_ROUTE : BIRD_CODE_SYNTAX,
            "%s", model->established[session] ? "Network not found" : "No valid tables");
        return;
    case VIEW_PRIMARY:
        protocol = prefix->primary->name;
        break;
    case VIEW_DRAIN:
        protocol = prefix->twin->name;
        break;
    case VIEW_OTHER:
        break;
    }
    say(answer, BIRD_LINE, BIRD_CODE_ROUTE, "Table master4:");
    say(answer, BIRD_LINE, BIRD_CODE_ROUTE, "%-20s blackhole [%s 00:22:45.151] * (260)", text,
        protocol);
    if (prefix->seen[session] == VIEW_DRAIN && !model->strips) {
        say(answer, BIRD_LINE, BIRD_CODE_ATTRIBUTE, "\tBGP.community: (65535,0)");
    }
    say(answer, BIRD_LAST, BIRD_CODE_OK, "%s", "");
}

// show route PREFIX table TABLE all
static void answer_paths(const struct model *model, const struct answer *answer,
                         const char *command)
{
    char text[PREFIX_TEXT_MAX];
    if (sscanf(command, "show route %49s table master%*1[46] all", text) != 1) {
        abort();
    }
    size_t index = prefix_index(text);
    const struct model_prefix *prefix = &model->prefixes[index];
    bool ours = is_on(model, prefix->primary);
    bool others = model->elsewhere[index / PLOT_PREFIXES];
    bool leaving = !others && index / PLOT_PREFIXES % 2 == 1; // the other PoP is going, too
    if (!ours && !others && !leaving) {
        say(answer, BIRD_LAST, BIRD_CODE_NO_ROUTE, "Network not found");
        return;
    }
    say(answer, BIRD_LINE, BIRD_CODE_ROUTE, "Table master4:");
    if (ours) {
        say(answer, BIRD_LINE, BIRD_CODE_ROUTE, "%-20s blackhole [%s 00:22:45.151] * (260)", text,
            prefix->primary->name);
    }
    if (others || leaving) {
        say(answer, BIRD_LINE, BIRD_CODE_ROUTE,
            "%-20s unicast [ospf1 00:22:45.151] E2 (150/10/100) [192.0.2.254]", ours ? "" : text);
    }
    if (leaving) {
        say(answer, BIRD_LINE, BIRD_CODE_ATTRIBUTE, "\tBGP.community: (64512,1) (65535,0)");
    }
    say(answer, BIRD_LAST, BIRD_CODE_OK, "%s", "");
}

static void answer_configure(struct model *model, const struct answer *answer, const char *command)
{
    bool check = strcmp(command, "configure check") == 0;
    if (strcmp(command, "configure status") == 0) {
        say(answer, BIRD_LINE, BIRD_CODE_RECONFIGURED, "Daemon is up and running");
        say(answer, BIRD_LAST, BIRD_CODE_OK, "%s", "");
        return;
    }
    if (model->refuses) {
        say(answer, BIRD_LAST, BIRD_CODE_ACCESS_DENIED, "Access denied");
        return;
    }
    say(answer, BIRD_LINE, BIRD_CODE_READING, "Reading configuration from /etc/bird/bird.conf");
    if (model->broken) {
        say(answer, BIRD_LAST, BIRD_CODE_CONFIG_ERROR, "/etc/bird/bird.conf:12:1 syntax error");
    } else if (check) {
        say(answer, BIRD_LAST, BIRD_CODE_CONFIG_OK, "Configuration OK");
    } else {
        model_configure(model);
        say(answer, BIRD_LAST, BIRD_CODE_RECONFIGURED, "Reconfigured");
    }
}

// An answer that may end in the midst.
struct cut {
    struct model *model;
    struct answer answer;
    bool over;
};

static void say_or_cut(void *arg, const struct bird_line *line)
{
    struct cut *cut = arg;
    if (cut->over) {
        return;
    }
    if (cut->model->cut > 0 && --cut->model->cut == 0) {
        cut->over = true;
        say(&cut->answer, BIRD_LAST, BIRD_CODE_SYNTAX, "runtime error");
        return;
    }
    cut->answer.say(cut->answer.arg, line);
}

void model_do(struct model *model, const char *command, model_answer_cb answer_line, void *arg)
{
    struct cut cut = {model, {answer_line, arg}, false};
    struct answer answer = cut.answer;
    if (strncmp(command, "show ", 5) == 0) {
        answer = (struct answer){say_or_cut, &cut};
    }
    if (strncmp(command, "enable ", 7) == 0 || strncmp(command, "disable ", 8) == 0) {
        answer_switch(model, &answer, command);
    } else if (strcmp(command, "show protocols") == 0) {
        answer_protocols(model, &answer);
    } else if (strncmp(command, "show protocols all \"up", 22) == 0) {
        answer_session(model, &answer, (unsigned)strtoul(command + 22, NULL, 10));
    } else if (strcmp(command, "show bfd sessions") == 0) {
        answer_bfd(&answer);
    } else if (strncmp(command, "show protocols all ", 19) == 0) {
        answer_revision(model, &answer);
    } else if (strncmp(command, "show protocols \"", 16) == 0) {
        answer_some_protocols(model, &answer, command);
    } else if (strncmp(command, "show route ", 11) == 0 && strstr(command, " export ") != NULL) {
        answer_route(model, &answer, command);
    } else if (strncmp(command, "show route ", 11) == 0) {
        answer_paths(model, &answer, command);
    } else if (strncmp(command, "configure", 9) == 0) {
        answer_configure(model, &answer, command);
    } else {
        abort();
    }
}
