#include "controller/cli/show.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX       2048
#define NAME_MAX_SHOWN 20

// ---- reading the answer: what is missing is empty, never a crash ----

static const json_t *at(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static const char *words(const json_t *object, const char *key)
{
    const char *text = json_string_value(at(object, key));
    return text != NULL ? text : "";
}

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(at(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static bool yes(const json_t *object, const char *key)
{
    return json_is_true(at(object, key));
}

// ---- lines ----

// Columns that text takes: its characters.
static size_t columns(const char *text)
{
    size_t count = 0;
    while (*text != '\0') {
        size_t length = utf8_length(text);
        text += length > 0 ? length : 1;
        count++;
    }
    return count;
}

static size_t bytes_of(const char *text, size_t wanted_columns)
{
    size_t bytes = 0;
    while (text[bytes] != '\0' && wanted_columns-- > 0) {
        size_t length = utf8_length(text + bytes);
        bytes += length > 0 ? length : 1;
    }
    return bytes;
}

// Left-aligned in a column of that width, cut with "~" when longer.
static void cell(FILE *out, const char *text, size_t width)
{
    char safe[TEXT_MAX];
    text_printable(safe, sizeof safe, text, false);
    size_t length = columns(safe);
    if (length > width && width > 0) {
        fprintf(out, "%.*s~", (int)bytes_of(safe, width - 1), safe);
    } else {
        fprintf(out, "%s%*s", safe, (int)(width - length), "");
    }
}

// The bytes of the longest part of text that fits width and ends at a space, or just fits.
static size_t line_break(const char *text, size_t width)
{
    if (columns(text) <= width) {
        return strlen(text);
    }
    size_t fits = bytes_of(text, width);
    for (size_t i = fits; i > 0; i--) {
        if (text[i] == ' ') {
            return i;
        }
    }
    return fits;
}

// Wraps text into the columns from indent on; the cursor is there already. Ends the line.
static void wrap(const struct show *show, size_t indent, const char *text)
{
    char safe[TEXT_MAX];
    const char *rest = safe;
    size_t width = show->width > indent + 16 ? show->width - indent : 16;
    text_printable(safe, sizeof safe, text, false);
    for (;;) {
        size_t length = line_break(rest, width);
        fprintf(show->out, "%.*s\n", (int)length, rest);
        rest += length;
        rest += strspn(rest, " ");
        if (*rest == '\0') {
            return;
        }
        fprintf(show->out, "%*s", (int)indent, "");
    }
}

__attribute__((format(printf, 4, 5))) static void
labelled(const struct show *show, size_t indent, const char *label, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cell(show->out, label, indent - 1);
    fputc(' ', show->out);
    wrap(show, indent, text);
}

void show_line(FILE *out, const char *format, ...)
{
    char text[TEXT_MAX];
    char safe[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_printable(safe, sizeof safe, text, false);
    fprintf(out, "%s\n", safe);
}

const char *show_age(uint64_t ms, char out[AGE_TEXT_MAX])
{
    static const struct {
        uint64_t unit_ms, part_ms;
        const char *unit, *part;
    } steps[] = {
        {86400000, 3600000, "d", "h"}, {3600000, 60000, "h", "m"}, {60000, 1000, "m", "s"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (ms >= steps[i].unit_ms) {
            snprintf(out, AGE_TEXT_MAX, "%" PRIu64 "%s%" PRIu64 "%s", ms / steps[i].unit_ms,
                     steps[i].unit, ms % steps[i].unit_ms / steps[i].part_ms, steps[i].part);
            return out;
        }
    }
    if (ms >= 1000) {
        snprintf(out, AGE_TEXT_MAX, "%" PRIu64 "s", ms / 1000);
    } else {
        snprintf(out, AGE_TEXT_MAX, "%" PRIu64 "ms", ms);
    }
    return out;
}

// ---- colour ----

enum mood { MOOD_PLAIN, MOOD_GOOD, MOOD_WARN, MOOD_BAD };

static void coloured(const struct show *show, enum mood mood, const char *text, size_t width)
{
    static const char *const codes[] = {"", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    bool on = show->colour && mood != MOOD_PLAIN;
    fputs(on ? codes[mood] : "", show->out);
    cell(show->out, text, width);
    fputs(on ? "\x1b[0m" : "", show->out);
}

static enum mood mood_of_word(const char *word)
{
    static const struct {
        const char *word;
        enum mood mood;
    } moods[] = {{"announce", MOOD_GOOD},     {"up", MOOD_GOOD},       {"pass", MOOD_GOOD},
                 {"depreference", MOOD_WARN}, {"degraded", MOOD_WARN}, {"unknown", MOOD_WARN},
                 {"withdraw", MOOD_BAD},      {"down", MOOD_BAD},      {"fail", MOOD_BAD}};
    for (size_t i = 0; i < sizeof moods / sizeof *moods; i++) {
        if (strcmp(moods[i].word, word) == 0) {
            return moods[i].mood;
        }
    }
    return MOOD_PLAIN;
}

// ---- what is wrong ----

// Everything is, if no names are given.
static bool is_named(const char *name, char *const *only, size_t only_count)
{
    for (size_t i = 0; i < only_count; i++) {
        if (strcmp(name, only[i]) == 0) {
            return true;
        }
    }
    return only_count == 0;
}

enum { PROBLEMS_SHOWN = 12 };

static void problem_line(const struct show *show, const json_t *problem)
{
    char text[TEXT_MAX];
    char age[AGE_TEXT_MAX] = "";
    const char *advice = words(problem, "advice");
    bool critical = strcmp(words(problem, "severity"), "critical") == 0;
    bool aged = at(problem, "age_ms") != NULL;
    snprintf(text, sizeof text, "%s%s%s%s%s%s", words(problem, "text"), aged ? " (for " : "",
             aged ? show_age(number(problem, "age_ms"), age) : "", aged ? ")" : "",
             advice[0] != '\0' ? "; " : "", advice);
    coloured(show, critical ? MOOD_BAD : MOOD_WARN, "!", 1);
    fputc(' ', show->out);
    wrap(show, 2, text);
}

// Of the PoP as a whole, and of the services that are asked for.
static void problem_lines(const struct show *show, const json_t *status, char *const *only,
                          size_t only_count)
{
    size_t shown = 0;
    size_t i;
    json_t *problem;
    json_array_foreach(at(status, "problems"), i, problem)
    {
        const char *service = words(problem, "service");
        if ((service[0] == '\0' || is_named(service, only, only_count)) && shown < PROBLEMS_SHOWN) {
            problem_line(show, problem);
            shown++;
        }
    }
    if (only_count == 0 && number(status, "problem_count") > shown) {
        show_line(show->out, "! and %" PRIu64 " more", number(status, "problem_count") - shown);
    }
}

static void heading(const struct show *show, const json_t *status)
{
    const json_t *bird = at(status, "bird");
    char age[AGE_TEXT_MAX];
    char text[TEXT_MAX];
    snprintf(text, sizeof text,
             "%s%s%s%s, popgated %s up %s, BIRD%s%s %s, %" PRIu64 " of %zu sessions established",
             words(status, "pop"), words(status, "region")[0] != '\0' ? " (" : "",
             words(status, "region"), words(status, "region")[0] != '\0' ? ")" : "",
             words(status, "version"), show_age(number(status, "uptime_ms"), age),
             words(bird, "version")[0] != '\0' ? " " : "", words(bird, "version"),
             words(at(bird, "link"), "state"), number(bird, "established"),
             json_array_size(at(bird, "sessions")));
    wrap(show, 2, text);
}

// ---- the responder ----

// A count of several channels, or of a group in each; their names begin with the transport.
static uint64_t counted(const json_t *responder, const char *transport, const char *group,
                        const char *key)
{
    const char *name;
    json_t *channel;
    uint64_t sum = 0;
    json_object_foreach((json_t *)at(responder, "channels"), name, channel)
    {
        if (strncmp(name, transport, strlen(transport)) == 0) {
            sum += number(group != NULL ? at(channel, group) : channel, key);
        }
    }
    return sum;
}

static void responder_counts(const struct show *show, const json_t *responder)
{
    static const struct {
        const char *group, *key, *word;
    } main_ones[] = {{"rcodes", "NOERROR", "answered"},    {"rcodes", "REFUSED", "refused"},
                     {"rcodes", "NXDOMAIN", "missing"},    {NULL, "slipped", "over the rate limit"},
                     {NULL, "dropped", "dropped over it"}, {NULL, "unsent", "answers not sent"}};
    char text[TEXT_MAX];
    const char *secret = words(responder, "cookie_secret");
    size_t used = (size_t)snprintf(
        text, sizeof text,
        "%" PRIu64 " queries over UDP, %" PRIu64 " over TCP (%" PRIu64 " connected)",
        counted(responder, "udp", NULL, "received"), counted(responder, "tcp", NULL, "received"),
        number(responder, "tcp_open"));
    for (size_t i = 0; i < sizeof main_ones / sizeof *main_ones; i++) {
        uint64_t count = counted(responder, "", main_ones[i].group, main_ones[i].key);
        if (count > 0) {
            used += (size_t)snprintf(text + used, sizeof text - used, ", %" PRIu64 " %s", count,
                                     main_ones[i].word);
        }
    }
    snprintf(text + used, sizeof text - used, "; %s%.200s",
             secret[0] != '\0' ? "cookie secret: " : "cookies are off", secret);
    fputs("  ", show->out);
    wrap(show, 2, text);
}

static void responder_lines(const struct show *show, const json_t *responder)
{
    char text[TEXT_MAX];
    size_t used;
    size_t i;
    json_t *address;
    if (!json_is_object(responder)) {
        return;
    }
    const char *zone = words(responder, "zone");
    used = (size_t)snprintf(text, sizeof text / 2, "responder %.63s%s%.500s on",
                            words(responder, "id"), zone[0] != '\0' ? ", zone " : "", zone);
    json_array_foreach(at(responder, "listen"), i, address)
    {
        const char *word = json_string_value(address);
        if (word != NULL && used + strlen(word) + 2 < sizeof text) {
            used += (size_t)snprintf(text + used, sizeof text - used, " %s", word);
        }
    }
    wrap(show, 2, text);
    responder_counts(show, responder);
}

// ---- services ----

// What of the prefixes is not as meant, worst first; NULL if nothing.
static const char *oddity(const json_t *service)
{
    static const char *const worst_first[] = {"leak", "late", "hidden", "short", "unknown"};
    for (size_t i = 0; i < sizeof worst_first / sizeof *worst_first; i++) {
        if (number(at(service, "conditions"), worst_first[i]) > 0) {
            return worst_first[i];
        }
    }
    return yes(service, "seen") ? NULL : "pending";
}

static void seen_text(const json_t *status, const json_t *service, char *out, size_t size)
{
    uint64_t fewest = number(service, "sessions_min");
    uint64_t most = number(service, "sessions_max");
    uint64_t all = number(at(status, "bird"), "established");
    const char *odd = oddity(service);
    char range[48];
    if (fewest == most) {
        snprintf(range, sizeof range, "%" PRIu64, most);
    } else {
        snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, fewest, most);
    }
    snprintf(out, size, "%s/%" PRIu64 "%s%s", range, all, odd != NULL ? " " : "",
             odd != NULL ? odd : "");
}

static void odd_prefix(const struct show *show, size_t indent, const json_t *prefix)
{
    static const char *const texts[][2] = {
        {"short", "announced on fewer sessions than min_sessions"},
        {"hidden", "BIRD exports another route, or none"},
        {"leak", "exported by another protocol although it is to be withdrawn"},
        {"late", "BIRD still exports what the target is not"},
        {"unknown", "not looked up yet"}};
    const char *condition = words(prefix, "condition");
    const char *meaning = "";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        meaning = strcmp(texts[i][0], condition) == 0 ? texts[i][1] : meaning;
    }
    char other[TEXT_MAX / 4] = "";
    if (strcmp(condition, "hidden") == 0) {
        snprintf(other, sizeof other,
                 "; does the session's export filter accept `proto ~ \"popgate_*\"`?");
    }
    if (words(prefix, "other")[0] != '\0') {
        snprintf(other, sizeof other, " (%s on %s)", words(prefix, "other"),
                 words(prefix, "other_session"));
    }
    fprintf(show->out, "%*s", (int)indent, "");
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "%s is %s: %s%s", words(prefix, "prefix"), condition, meaning,
             other);
    wrap(show, indent + 2, text);
}

static void odd_prefixes(const struct show *show, size_t indent, const json_t *service)
{
    size_t i;
    json_t *prefix;
    json_array_foreach(at(service, "prefixes"), i, prefix)
    {
        const char *condition = words(prefix, "condition");
        if (strcmp(condition, "as-meant") != 0 && strcmp(condition, "unknown") != 0) {
            odd_prefix(show, indent, prefix);
        }
    }
}

// The intent, when the decision rests on something else.
static void silent_intent(const struct show *show, size_t indent, const json_t *service)
{
    const json_t *intent = at(service, "intent");
    const char *kind = words(intent, "kind");
    char left[AGE_TEXT_MAX];
    if (strcmp(kind, "auto") == 0) {
        return;
    }
    char ends[AGE_TEXT_MAX + 16] = "";
    if (at(intent, "left_ms") != NULL) {
        snprintf(ends, sizeof ends, ", ends in %s", show_age(number(intent, "left_ms"), left));
    } else if (strcmp(words(service, "cause"), kind) == 0) {
        return;
    }
    fprintf(show->out, "%*s", (int)indent, "");
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "intent %s by %s%s%s%s", kind, words(intent, "by"),
             words(intent, "reason")[0] != '\0' ? ": " : "", words(intent, "reason"), ends);
    wrap(show, indent + 2, text);
}

enum { TARGET_WIDTH = 12, SEEN_WIDTH = 11, SINCE_WIDTH = 7, WHY_LEAST = 20 };

static size_t name_width(const json_t *array)
{
    size_t width = 7;
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        size_t length = columns(words(item, "name"));
        width = length > width ? length : width;
    }
    return width < NAME_MAX_SHOWN ? width : NAME_MAX_SHOWN;
}

// Where the last column begins: after the others, or on a line of its own when narrow.
static size_t last_column(const struct show *show, size_t used)
{
    if (used + WHY_LEAST <= show->width) {
        return used;
    }
    return 4;
}

static void service_row(const struct show *show, const json_t *status, const json_t *service,
                        size_t width)
{
    char seen[96];
    char age[AGE_TEXT_MAX];
    size_t used = width + 1 + TARGET_WIDTH + 1 + SEEN_WIDTH + 1 + SINCE_WIDTH + 1;
    size_t why = last_column(show, used);
    seen_text(status, service, seen, sizeof seen);
    cell(show->out, words(service, "name"), width);
    fputc(' ', show->out);
    coloured(show, mood_of_word(words(service, "target")), words(service, "target"), TARGET_WIDTH);
    fputc(' ', show->out);
    coloured(show, oddity(service) != NULL ? MOOD_WARN : MOOD_PLAIN, seen, SEEN_WIDTH);
    fputc(' ', show->out);
    cell(show->out, show_age(number(service, "age_ms"), age), SINCE_WIDTH);
    if (why == used) {
        fputc(' ', show->out);
    } else {
        fprintf(show->out, "\n%*s", (int)why, "");
    }
    wrap(show, why, words(service, "why"));
    silent_intent(show, why, service);
    odd_prefixes(show, why, service);
}

void show_status(const struct show *show, const json_t *status, char *const *only,
                 size_t only_count)
{
    const json_t *services = at(status, "services");
    size_t width = name_width(services);
    size_t i;
    json_t *service;
    heading(show, status);
    problem_lines(show, status, only, only_count);
    if (only_count == 0) {
        responder_lines(show, at(status, "responder"));
    }
    fputc('\n', show->out);
    cell(show->out, "SERVICE", width);
    fprintf(show->out, " %-*s %-*s %-*s%s\n", TARGET_WIDTH, "TARGET", SEEN_WIDTH, "SEEN",
            SINCE_WIDTH, "SINCE",
            last_column(show, width + TARGET_WIDTH + SEEN_WIDTH + SINCE_WIDTH + 4) > 4 ? " WHY"
                                                                                       : "");
    json_array_foreach(services, i, service)
    {
        if (is_named(words(service, "name"), only, only_count)) {
            service_row(show, status, service, width);
        }
    }
}

void show_sentence(const struct show *show, const json_t *status, const json_t *service)
{
    uint64_t fewest = number(service, "sessions_min");
    uint64_t most = number(service, "sessions_max");
    char range[64];
    if (fewest == most) {
        snprintf(range, sizeof range, "%" PRIu64, most);
    } else {
        snprintf(range, sizeof range, "%" PRIu64 " to %" PRIu64, fewest, most);
    }
    const char *odd = oddity(service);
    show_line(show->out, "%s: %s, seen on %s of %" PRIu64 " sessions%s%s", words(service, "name"),
              words(service, "target"), range, number(at(status, "bird"), "established"),
              odd != NULL ? ", " : "", odd != NULL ? odd : "");
}

// ---- probes ----

static bool array_has(const json_t *array, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *text = json_string_value(item);
        if (text != NULL && strcmp(text, name) == 0) {
            return true;
        }
    }
    return false;
}

// How the service needs the probe; NULL: it does not.
static const char *need(const json_t *service, const char *probe)
{
    static const char *const needs[] = {"require", "any", "degrade"};
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        if (array_has(at(service, needs[i]), probe)) {
            return needs[i];
        }
    }
    return NULL;
}

static void verdict_text(const json_t *probe, char *out, size_t size)
{
    const json_t *verdict = at(probe, "verdict");
    char age[AGE_TEXT_MAX];
    if (!json_is_object(verdict)) {
        snprintf(out, size, "no verdict yet");
        return;
    }
    snprintf(out, size, "%s in %.1f ms, %s ago%s%s%s", words(verdict, "kind"),
             json_number_value(at(verdict, "duration_ms")),
             show_age(number(verdict, "age_ms"), age),
             words(verdict, "cause")[0] != '\0' ? ": " : "", words(verdict, "cause"),
             yes(probe, "unsettled") ? " (not settled yet)" : "");
}

static void used_by(const json_t *services, const char *probe, char *out, size_t size)
{
    size_t used = 0;
    size_t i;
    json_t *service;
    snprintf(out, size, "-");
    json_array_foreach(services, i, service)
    {
        if (need(service, probe) != NULL && used < size) {
            int more = snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "",
                                words(service, "name"));
            used += more > 0 ? (size_t)more : 0;
        }
    }
}

void show_probes(const struct show *show, const json_t *status)
{
    const json_t *probes = at(status, "probes");
    enum { TYPE_WIDTH = 7, HEALTH_WIDTH = 8 };
    size_t width = name_width(probes);
    size_t i;
    json_t *probe;
    cell(show->out, "PROBE", width);
    fprintf(show->out, " %-*s %-*s %-*s %s\n", TYPE_WIDTH, "TYPE", HEALTH_WIDTH, "HEALTH",
            SINCE_WIDTH, "SINCE", "TARGET AND SERVICES");
    json_array_foreach(probes, i, probe)
    {
        char age[AGE_TEXT_MAX];
        char text[TEXT_MAX];
        char users[TEXT_MAX / 2];
        const char *health = words(probe, "health");
        cell(show->out, words(probe, "name"), width);
        fputc(' ', show->out);
        cell(show->out, words(probe, "type"), TYPE_WIDTH);
        fputc(' ', show->out);
        coloured(show, mood_of_word(health), health, HEALTH_WIDTH);
        fputc(' ', show->out);
        cell(show->out, show_age(number(probe, "age_ms"), age), SINCE_WIDTH);
        fputc(' ', show->out);
        used_by(at(status, "services"), words(probe, "name"), users, sizeof users);
        const char *target = words(probe, "target");
        snprintf(text, sizeof text, "%s for %s", target[0] != '\0' ? target : "-", users);
        wrap(show, width + TYPE_WIDTH + HEALTH_WIDTH + SINCE_WIDTH + 4, text);
        verdict_text(probe, text, sizeof text);
        fputs("    ", show->out);
        wrap(show, 4, text);
        const char *watch = words(probe, "watch");
        if (watch[0] != '\0' && strcmp(watch, "off") != 0) {
            snprintf(text, sizeof text, "crash watch: %s", watch);
            fputs("    ", show->out);
            wrap(show, 4, text);
        }
    }
}

// ---- explain ----

enum { LABEL = 10 }; // where the text after a label begins

static void explain_probes(const struct show *show, const json_t *answer)
{
    const json_t *service = at(answer, "service");
    size_t i;
    json_t *probe;
    json_array_foreach(at(answer, "probes"), i, probe)
    {
        char text[TEXT_MAX / 2];
        char age[AGE_TEXT_MAX];
        const char *name = words(probe, "name");
        const char *how = need(service, name);
        verdict_text(probe, text, sizeof text);
        labelled(show, LABEL, i == 0 ? "probes" : "", "%s (%s) is %s%s for %s; last: %s", name,
                 how != NULL ? how : "of a service that it depends on", words(probe, "health"),
                 yes(probe, "blind") ? " (it can't look now)" : "",
                 show_age(number(probe, "age_ms"), age), text);
    }
}

static void explain_gate(const struct show *show, const json_t *service)
{
    const json_t *gate = at(service, "gate");
    const char *probe = words(gate, "probe");
    const char *other = words(gate, "service");
    const char *blind = words(gate, "held_by");
    labelled(show, LABEL, "gate", "%s%s%s%s%s%s%s%s", words(gate, "state"),
             probe[0] != '\0' ? ", because of probe " : "", probe,
             other[0] != '\0' ? ", through service " : "", other,
             blind[0] != '\0' ? "; held as last known, probe " : "", blind,
             blind[0] != '\0' ? " can't look now" : "");
}

static void explain_decision(const struct show *show, const json_t *service)
{
    char age[AGE_TEXT_MAX];
    char left[AGE_TEXT_MAX];
    uint64_t hold_ms = number(service, "hold_down_left_ms");
    labelled(show, LABEL, "decision", "%s for %s, cause %s; by health alone at %s%s%s%s",
             words(service, "target"), show_age(number(service, "age_ms"), age),
             words(service, "cause"), words(service, "allowed"), hold_ms > 0 ? ", better in " : "",
             hold_ms > 0 ? show_age(hold_ms, left) : "", hold_ms > 0 ? " (hold-down)" : "");
}

static void explain_intent(const struct show *show, const json_t *service)
{
    const json_t *intent = at(service, "intent");
    char age[AGE_TEXT_MAX];
    char left[AGE_TEXT_MAX];
    char grace[AGE_TEXT_MAX];
    uint64_t grace_ms = number(intent, "grace_left_ms");
    if (strcmp(words(intent, "kind"), "auto") == 0) {
        labelled(show, LABEL, "intent", "auto: nobody overrules the probes");
        return;
    }
    bool ends = at(intent, "left_ms") != NULL;
    labelled(show, LABEL, "intent", "%s by %s, %s ago%s%s%s%s%s%s", words(intent, "kind"),
             words(intent, "by"), show_age(number(intent, "age_ms"), age),
             words(intent, "reason")[0] != '\0' ? ": " : "", words(intent, "reason"),
             ends ? "; ends in " : "", ends ? show_age(number(intent, "left_ms"), left) : "",
             grace_ms > 0 ? "; withdrawn in " : "", grace_ms > 0 ? show_age(grace_ms, grace) : "");
}

static void explain_bird(const struct show *show, const json_t *service)
{
    char text[TEXT_MAX] = "";
    size_t used = 0;
    const char *name;
    json_t *state;
    json_object_foreach((json_t *)at(service, "protocols"), name, state)
    {
        const char *word = json_string_value(state);
        int more = snprintf(text + used, sizeof text - used, "%s%s %s", used > 0 ? ", " : "", name,
                            word != NULL ? word : "");
        used = used + (size_t)more < sizeof text ? used + (size_t)more : sizeof text - 1;
    }
    labelled(show, LABEL, "BIRD", "%s%s", text,
             yes(service, "lacks_protocol") ? "; it has not loaded the include file's protocols"
             : yes(service, "settled")      ? ""
                                            : "; commands are under way");
}

static void explain_sessions(const struct show *show, const json_t *answer)
{
    const json_t *service = at(answer, "service");
    uint64_t all = number(at(answer, "bird"), "established");
    size_t i;
    json_t *prefix;
    json_array_foreach(at(service, "prefixes"), i, prefix)
    {
        const char *label = i == 0 ? "sessions" : "";
        const char *condition = words(prefix, "condition");
        labelled(show, LABEL, label, "%s is seen on %" PRIu64 " of %" PRIu64 " sessions%s%s",
                 words(prefix, "prefix"), number(prefix, "sessions"), all,
                 strcmp(condition, "as-meant") == 0 ? ", as meant" : "",
                 number(prefix, "sessions_unknown") > 0 ? "; some are not looked up yet" : "");
        if (strcmp(condition, "as-meant") != 0) {
            odd_prefix(show, LABEL, prefix);
        }
    }
}

static void event_line(const struct show *show, const json_t *event)
{
    static const char *const times[][2] = {{"decided_ms", "decided"},
                                           {"acknowledged_ms", "acknowledged by BIRD"},
                                           {"observed_ms", "seen"}};
    char text[TEXT_MAX];
    char when[32];
    int used;
    snprintf(when, sizeof when, "%s", words(event, "at"));
    char *letter = strchr(when, 'T');
    if (letter != NULL) {
        *letter = ' ';
    }
    if (words(event, "to")[0] != '\0') {
        used = snprintf(text, sizeof text, "%s: %s to %s (%s): %s", words(event, "service"),
                        words(event, "from"), words(event, "to"), words(event, "cause"),
                        words(event, "text"));
        const char *between = at(event, "decided_ms") != NULL ? "; after the evidence: " : "; ";
        for (size_t i = 0; i < sizeof times / sizeof *times && (size_t)used < sizeof text; i++) {
            const json_t *ms = at(event, times[i][0]);
            if (ms != NULL) {
                used += snprintf(text + used, sizeof text - (size_t)used, "%s%s in %.1f ms",
                                 between, times[i][1], json_number_value(ms));
                between = ", ";
            }
        }
    } else {
        const char *service = words(event, "service");
        snprintf(text, sizeof text, "%s: %s%s%s", words(event, "kind"), service,
                 service[0] != '\0' ? ": " : "", words(event, "text"));
    }
    coloured(show, yes(event, "warning") ? MOOD_WARN : MOOD_PLAIN, when, columns(when));
    fputc('\n', show->out);
    fputs("    ", show->out);
    wrap(show, 4, text);
}

static void event_lines(const struct show *show, const json_t *events)
{
    size_t i;
    json_t *event;
    json_array_foreach(events, i, event)
    {
        event_line(show, event);
    }
}

void show_events(const struct show *show, const json_t *answer)
{
    if (number(answer, "lost") > 0) {
        show_line(show->out, "(%" PRIu64 " older events are no longer kept)",
                  number(answer, "lost"));
    }
    event_lines(show, at(answer, "events"));
}

void show_explain(const struct show *show, const json_t *answer)
{
    const json_t *service = at(answer, "service");
    char age[AGE_TEXT_MAX];
    problem_lines(show, answer, NULL, 0);
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "%s: %s for %s, %s: %s", words(service, "name"),
             words(service, "target"), show_age(number(service, "age_ms"), age),
             yes(service, "seen") ? "and seen to be so" : "not yet seen to be so",
             words(service, "why"));
    wrap(show, 2, text);
    fputc('\n', show->out);
    explain_probes(show, answer);
    explain_gate(show, service);
    explain_intent(show, service);
    explain_decision(show, service);
    explain_bird(show, service);
    explain_sessions(show, answer);
    fputs("\nevents, newest last:\n", show->out);
    event_lines(show, at(answer, "events"));
}
