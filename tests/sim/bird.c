#include "tests/sim/bird.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_init(struct model *model, const struct config *config)
{
    memset(model, 0, sizeof *model);
    model->include_line = true;
    for (size_t i = 0; i < config->service_count; i++) {
        const struct service_conf *service = &config->services[i];
        for (size_t j = 0; j < service->prefix_count; j++) {
            struct model_prefix *prefix = &model->prefixes[model->prefix_count++];
            prefix_text(&service->prefixes[j], prefix->text);
            names_protocol(service, service->prefixes[j].family, LEG_PRIMARY, prefix->primary);
            names_protocol(service, service->prefixes[j].family, LEG_DRAIN, prefix->drain);
            prefix->service = i;
        }
    }
}

static const struct model_protocol *find(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->protocol_count; i++) {
        if (strcmp(model->protocols[i].name, name) == 0) {
            return &model->protocols[i];
        }
    }
    return NULL;
}

static bool is_on(const struct model *model, const char *name)
{
    const struct model_protocol *protocol = find(model, name);
    return protocol != NULL && protocol->enabled && model->pipe_enabled;
}

// The best route by preference (bird-facts 11), then the session's export filter.
static enum view best(const struct model *model, const struct model_prefix *prefix)
{
    if (is_on(model, prefix->primary)) {
        return VIEW_PRIMARY;
    }
    if (is_on(model, prefix->drain)) {
        return VIEW_DRAIN;
    }
    return prefix->device && model->leaks ? VIEW_OTHER : VIEW_NONE;
}

void model_see(struct model *model)
{
    for (size_t i = 0; i < model->prefix_count; i++) {
        for (size_t session = 0; session < MODEL_SESSIONS; session++) {
            enum view view = model->running && model->established[session]
                                 ? best(model, &model->prefixes[i])
                                 : VIEW_NONE;
            model->changes += view != model->prefixes[i].seen[session];
            model->prefixes[i].seen[session] = view;
        }
    }
}

// Reads the file as BIRD would; protocols that were there keep what `enable` and `disable` made of
// them only if the file says the same (bird-facts 4).
static void load(struct model *model)
{
    char error[ERROR_MAX];
    model->protocol_count = 0;
    model->pipes = false;
    model->revision[0] = '\0';
    if (!model->include_line || !model->disk_exists) {
        return;
    }
    struct birdconf *conf = birdconf_parse(model->disk, model->disk_length, error);
    if (conf == NULL) {
        fprintf(stderr, "sim: BIRD was given a file that can't be read: %s\n", error);
        abort();
    }
    for (size_t i = 0; i < conf->slot_count; i++) {
        struct model_protocol *protocol = &model->protocols[model->protocol_count++];
        snprintf(protocol->name, sizeof protocol->name, "%s", conf->slots[i].protocol);
        protocol->enabled = birdconf_get(conf, conf->slots[i].protocol);
    }
    snprintf(model->revision, sizeof model->revision, "%s", conf->revision);
    model->pipes = model->pipe_enabled = true;
    birdconf_free(conf);
}

void model_configure(struct model *model, bool *ok, char message[ERROR_MAX])
{
    *ok = !model->broken;
    if (model->broken) {
        snprintf(message, ERROR_MAX, "/etc/bird/bird.conf:12:1 syntax error");
        return;
    }
    load(model);
    model_see(model);
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
    model->running = false;
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        model->established[i] = false;
    }
    for (unsigned i = 0; i < 2; i++) {
        model->connections[i].open = false;
        model->connections[i].count = 0;
    }
    model_see(model);
}

bool model_switch(struct model *model, const char *pattern, bool enable)
{
    bool any = false;
    for (size_t i = 0; i < model->protocol_count; i++) {
        if (fnmatch(pattern, model->protocols[i].name, 0) == 0) {
            model->protocols[i].enabled = enable;
            any = true;
        }
    }
    if (model->pipes && fnmatch(pattern, names_pipe(FAMILY_V4), 0) == 0) {
        model->pipe_enabled = enable;
        any = true;
    }
    model_see(model);
    return any;
}

// ---- answers ----

struct answer {
    struct core *core;
    uint64_t token, now_ns;
};

__attribute__((format(printf, 3, 4))) static void say(const struct answer *answer, unsigned code,
                                                      const char *text, ...)
{
    char buffer[256];
    va_list args;
    va_start(args, text);
    vsnprintf(buffer, sizeof buffer, text, args);
    va_end(args);
    struct bird_line line = {
        .kind = BIRD_LINE, .code = code, .text = buffer, .length = strlen(buffer)};
    if (answer->core != NULL) {
        core_line(answer->core, answer->token, &line, answer->now_ns);
    }
}

__attribute__((format(printf, 3, 4))) static void say_last(const struct answer *answer,
                                                           unsigned code, const char *text, ...)
{
    char buffer[256];
    va_list args;
    va_start(args, text);
    vsnprintf(buffer, sizeof buffer, text, args);
    va_end(args);
    struct bird_line line = {
        .kind = BIRD_LAST, .code = code, .text = buffer, .length = strlen(buffer)};
    if (answer->core != NULL) {
        core_line(answer->core, answer->token, &line, answer->now_ns);
        core_end(answer->core, answer->token, BIRD_END_REPLY, code, buffer, answer->now_ns);
    }
}

static void answer_switch(struct model *model, const struct answer *answer, const char *command)
{
    bool enable = command[0] == 'e';
    char pattern[BIRD_PROTOCOL_MAX];
    const char *quote = strchr(command, '"') + 1;
    snprintf(pattern, sizeof pattern, "%.*s", (int)strcspn(quote, "\""), quote);
    bool before[MODEL_PROTOCOLS] = {false};
    for (size_t i = 0; i < model->protocol_count; i++) {
        before[i] = model->protocols[i].enabled;
    }
    if (!model_switch(model, pattern, enable)) {
        say_last(answer, BIRD_CODE_NO_PROTOCOL, "No protocols match");
        return;
    }
    for (size_t i = 0; i < model->protocol_count; i++) {
        if (fnmatch(pattern, model->protocols[i].name, 0) == 0) {
            say(answer,
                before[i] == enable
                    ? (enable ? BIRD_CODE_ALREADY_ENABLED : BIRD_CODE_ALREADY_DISABLED)
                    : (enable ? BIRD_CODE_ENABLED : BIRD_CODE_DISABLED),
                "%s: %s%s", model->protocols[i].name, before[i] == enable ? "already " : "",
                enable ? "enabled" : "disabled");
        }
    }
    say_last(answer, BIRD_CODE_OK, "%s", "");
}

static void answer_protocols(const struct model *model, const struct answer *answer)
{
    say(answer, BIRD_CODE_PROTOCOL_HEADING,
        "Name       Proto      Table      State  Since         Info");
    say(answer, BIRD_CODE_PROTOCOL, "device1    Device     ---        up     00:22:45.151  ");
    if (model->pipes) {
        say(answer, BIRD_CODE_PROTOCOL,
            "popgate4_pipe Pipe       ---        %-6s 00:22:45.151  master4 <=> popgate4",
            model->pipe_enabled ? "up" : "down");
    }
    for (size_t i = 0; i < model->protocol_count; i++) {
        say(answer, BIRD_CODE_PROTOCOL, "%-10s Static     popgate4   %-6s 00:22:45.151  ",
            model->protocols[i].name, model->protocols[i].enabled ? "up" : "down");
    }
    for (size_t i = 0; i < MODEL_SESSIONS; i++) {
        say(answer, BIRD_CODE_PROTOCOL, "up%zu        BGP        ---        %-6s 00:22:45.151  %s",
            i, model->established[i] ? "up" : "start",
            model->established[i] ? "Established" : "Connect");
    }
    say_last(answer, BIRD_CODE_OK, "%s", "");
}

static void answer_revision(const struct model *model, const struct answer *answer)
{
    if (!model->pipes) {
        say_last(answer, BIRD_CODE_NO_PROTOCOL, "No protocols match");
        return;
    }
    say(answer, BIRD_CODE_PROTOCOL,
        "popgate4_pipe Pipe       ---        up     00:22:45.151  master4 <=> popgate4");
    say(answer, BIRD_CODE_PROTOCOL_DETAIL, "  Description:    popgate %s", model->revision);
    say_last(answer, BIRD_CODE_OK, "%s", "");
}

static void answer_route(const struct model *model, const struct answer *answer,
                         const char *command)
{
    char text[PREFIX_TEXT_MAX];
    char name[SESSION_NAME_MAX];
    if (sscanf(command, "show route %49s export '%64[^']'", text, name) != 2) {
        abort();
    }
    size_t session = (size_t)(name[2] - '0'); // of "up0"
    if (session >= MODEL_SESSIONS) {
        abort();
    }
    if (!model->established[session]) {
        say_last(answer, BIRD_CODE_SYNTAX, "No valid tables");
        return;
    }
    for (size_t i = 0; i < model->prefix_count; i++) {
        const struct model_prefix *prefix = &model->prefixes[i];
        if (strcmp(prefix->text, text) != 0) {
            continue;
        }
        const char *protocols[] = {NULL, prefix->primary, prefix->drain, "direct1"};
        const char *protocol = protocols[prefix->seen[session]];
        if (protocol == NULL) {
            break;
        }
        say(answer, BIRD_CODE_ROUTE, "Table master4:");
        say(answer, BIRD_CODE_ROUTE, "%-20s blackhole [%s 00:22:45.151] * (260)", text, protocol);
        say_last(answer, BIRD_CODE_OK, "%s", "");
        return;
    }
    say_last(answer, BIRD_CODE_NO_ROUTE, "Network not found");
}

static void answer_configure(struct model *model, const struct answer *answer, bool check)
{
    char message[ERROR_MAX];
    bool ok = !model->broken;
    say(answer, BIRD_CODE_READING, "Reading configuration from /etc/bird/bird.conf");
    if (!check) {
        model_configure(model, &ok, message);
    }
    if (!ok) {
        say_last(answer, BIRD_CODE_CONFIG_ERROR, "/etc/bird/bird.conf:12:1 syntax error");
    } else if (check) {
        say_last(answer, BIRD_CODE_CONFIG_OK, "Configuration OK");
    } else {
        say_last(answer, BIRD_CODE_RECONFIGURED, "Reconfigured");
    }
}

void model_queue(struct model *model, const struct order *order, uint64_t at_ns)
{
    struct model_connection *connection = &model->connections[order->link];
    if (connection->count == MODEL_QUEUE) {
        abort();
    }
    struct model_command *command =
        &connection->queue[(connection->first + connection->count++) % MODEL_QUEUE];
    command->token = order->token;
    command->at_ns = at_ns;
    memcpy(command->text, order->command, sizeof command->text);
}

void model_do(struct model *model, enum order_link link, struct core *core, uint64_t now_ns)
{
    struct model_connection *connection = &model->connections[link];
    struct model_command command = connection->queue[connection->first];
    connection->first = (connection->first + 1) % MODEL_QUEUE;
    connection->count--;
    struct answer answer = {.core = core, .token = command.token, .now_ns = now_ns};
    switch (order_kind(command.token)) {
    case ORDER_ENABLE:
    case ORDER_DISABLE:
        answer_switch(model, &answer, command.text);
        break;
    case ORDER_PROTOCOLS:
        answer_protocols(model, &answer);
        break;
    case ORDER_REVISION:
        answer_revision(model, &answer);
        break;
    case ORDER_ROUTE:
        answer_route(model, &answer, command.text);
        break;
    case ORDER_CHECK:
    case ORDER_CONFIGURE:
        answer_configure(model, &answer, order_kind(command.token) == ORDER_CHECK);
        break;
    case ORDER_PEERS:
    case ORDER_PATHS:
    case ORDER_KINDS:
        abort();
    }
}
