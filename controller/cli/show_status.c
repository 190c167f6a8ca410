// The answer of /v1/status: what is wrong, the responder, a row for each service.
#include "controller/cli/show_parts.h"

#include <inttypes.h>
#include <string.h>

#define NAME_MAX_SHOWN 20

// ---- What is wrong

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
    char text[SHOW_TEXT_MAX];
    char age[AGE_TEXT_MAX] = "";
    const char *advice = words(problem, "advice");
    bool critical = strcmp(words(problem, "severity"), "critical") == 0;
    bool aged = at(problem, "age_ms") != NULL;
    snprintf(text, sizeof text, "%s%s%s%s%s%s", words(problem, "text"), aged ? " (for " : "",
             aged ? show_age(number(problem, "age_ms"), age) : "", aged ? ")" : "",
             advice[0] != '\0' ? "; " : "", advice);
    show_coloured(show, critical ? MOOD_BAD : MOOD_WARN, "!", 1);
    fputc(' ', show->out);
    show_wrap(show, 2, text);
}

// Of the PoP as a whole, and of the services that are asked for.
void show_problems(const struct show *show, const json_t *status, char *const *only,
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

enum { DOWN_SHOWN = 5 };

// Which sessions are not established, a few of them.
static void down_text(const json_t *sessions, char *out, size_t size)
{
    size_t shown = 0;
    size_t used = 0;
    size_t i;
    json_t *session;
    out[0] = '\0';
    json_array_foreach(sessions, i, session)
    {
        const char *state = words(session, "state");
        if (strcmp(state, "established") == 0 || strcmp(state, "unknown") == 0 || used >= size) {
            continue;
        }
        if (shown++ == DOWN_SHOWN) {
            snprintf(out + used, size - used, " ...");
            return;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", shown == 1 ? ", not " : " ",
                                 words(session, "name"));
    }
}

static void heading(const struct show *show, const json_t *status)
{
    const json_t *bird = at(status, "bird");
    char down[SHOW_TEXT_MAX / 2];
    char age[AGE_TEXT_MAX];
    char text[SHOW_TEXT_MAX];
    down_text(at(bird, "sessions"), down, sizeof down);
    snprintf(text, sizeof text,
             "%s%s%s%s, popgated %s up %s, BIRD%s%s %s, %" PRIu64 " of %zu sessions established%s",
             words(status, "pop"), words(status, "region")[0] != '\0' ? " (" : "",
             words(status, "region"), words(status, "region")[0] != '\0' ? ")" : "",
             words(status, "version"), show_age(number(status, "uptime_ms"), age),
             words(bird, "version")[0] != '\0' ? " " : "", words(bird, "version"),
             words(at(bird, "link"), "state"), number(bird, "established"),
             json_array_size(at(bird, "sessions")), down);
    show_wrap(show, 2, text);
}

// ---- The responder

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
    char text[SHOW_TEXT_MAX];
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
    show_wrap(show, 2, text);
}

static void responder_lines(const struct show *show, const json_t *responder)
{
    char text[SHOW_TEXT_MAX];
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
    show_wrap(show, 2, text);
    responder_counts(show, responder);
}

// ---- Services

// What of the prefixes is not as meant, worst first; NULL if nothing.
static const char *oddity(const json_t *service)
{
    static const char *const worst_first[] = {"leak",  "late",    "hidden",  "no-channel",
                                              "short", "altered", "unknown", "pending"};
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

void show_odd_prefix(const struct show *show, size_t indent, const json_t *prefix)
{
    static const char *const texts[][2] = {
        {"short", "announced on fewer sessions than min_sessions"},
        {"hidden", "BIRD exports another route, or none"},
        {"leak", "exported by another protocol although it is to be withdrawn"},
        {"late", "BIRD still exports what the target is not"},
        {"no-channel", "too few sessions have a channel of its address family"},
        {"altered", "exported without what it is to carry"},
        {"unknown", "not looked up yet"},
        {"pending", "the target is new, and BIRD is not seen to do it yet"}};
    const char *condition = words(prefix, "condition");
    const char *meaning = "";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        meaning = strcmp(texts[i][0], condition) == 0 ? texts[i][1] : meaning;
    }
    char other[SHOW_TEXT_MAX / 4] = "";
    if (words(prefix, "other")[0] != '\0') {
        snprintf(other, sizeof other, " (%s on %s)", words(prefix, "other"),
                 words(prefix, "other_session"));
    } else if (words(prefix, "lacks")[0] != '\0') {
        snprintf(other, sizeof other, " (%s is missing on %s)", words(prefix, "lacks"),
                 words(prefix, "altered_session"));
    }
    fprintf(show->out, "%*s", (int)indent, "");
    char text[SHOW_TEXT_MAX];
    snprintf(text, sizeof text, "%s is %s: %s%s", words(prefix, "prefix"), condition, meaning,
             other);
    show_wrap(show, indent + 2, text);
}

static void odd_prefixes(const struct show *show, size_t indent, const json_t *service)
{
    size_t i;
    json_t *prefix;
    json_array_foreach(at(service, "prefixes"), i, prefix)
    {
        const char *condition = words(prefix, "condition");
        if (strcmp(condition, "as-meant") != 0 && strcmp(condition, "unknown") != 0 &&
            strcmp(condition, "pending") != 0) {
            show_odd_prefix(show, indent, prefix);
        }
    }
}

// The intent, when the decision rests on something else.
static void silent_intent(const struct show *show, size_t indent, const json_t *service)
{
    const json_t *intent = at(service, "intent");
    const char *kind = words(intent, "kind");
    char left[AGE_TEXT_MAX];
    char ends[2 * (AGE_TEXT_MAX + 16)] = "";
    size_t used = 0;
    if (strcmp(kind, "auto") == 0) {
        return;
    }
    uint64_t grace_ms = number(intent, "grace_left_ms");
    if (grace_ms > 0 && strcmp(words(service, "target"), "depreference") == 0) {
        used = (size_t)snprintf(ends, sizeof ends, ", withdrawn in %s", show_age(grace_ms, left));
    }
    if (at(intent, "left_ms") != NULL) {
        used += (size_t)snprintf(ends + used, sizeof ends - used, ", ends in %s",
                                 show_age(number(intent, "left_ms"), left));
    }
    if (used == 0 && strcmp(words(service, "cause"), kind) == 0) {
        return;
    }
    fprintf(show->out, "%*s", (int)indent, "");
    char text[SHOW_TEXT_MAX];
    snprintf(text, sizeof text, "intent %s by %s%s%s%s", kind, words(intent, "by"),
             words(intent, "reason")[0] != '\0' ? ": " : "", words(intent, "reason"), ends);
    show_wrap(show, indent + 2, text);
}

enum { TARGET_WIDTH = 12, SEEN_WIDTH = 11, WHY_LEAST = 20 };

size_t show_name_width(const json_t *array)
{
    size_t width = 7;
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        size_t length = show_columns(words(item, "name"));
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
    size_t used = width + 1 + TARGET_WIDTH + 1 + SEEN_WIDTH + 1 + SHOW_SINCE_WIDTH + 1;
    size_t why = last_column(show, used);
    seen_text(status, service, seen, sizeof seen);
    show_cell(show->out, words(service, "name"), width);
    fputc(' ', show->out);
    show_coloured(show, show_mood(words(service, "target")), words(service, "target"),
                  TARGET_WIDTH);
    fputc(' ', show->out);
    show_coloured(show, oddity(service) != NULL ? MOOD_WARN : MOOD_PLAIN, seen, SEEN_WIDTH);
    fputc(' ', show->out);
    show_cell(show->out, show_age(number(service, "age_ms"), age), SHOW_SINCE_WIDTH);
    if (why == used) {
        fputc(' ', show->out);
    } else {
        fprintf(show->out, "\n%*s", (int)why, "");
    }
    show_wrap(show, why, words(service, "why"));
    silent_intent(show, why, service);
    odd_prefixes(show, why, service);
}

void show_status(const struct show *show, const json_t *status, char *const *only,
                 size_t only_count)
{
    const json_t *services = at(status, "services");
    size_t width = show_name_width(services);
    size_t i;
    json_t *service;
    heading(show, status);
    show_problems(show, status, only, only_count);
    if (only_count == 0) {
        responder_lines(show, at(status, "responder"));
    }
    fputc('\n', show->out);
    show_cell(show->out, "SERVICE", width);
    fprintf(show->out, " %-*s %-*s %-*s%s\n", TARGET_WIDTH, "TARGET", SEEN_WIDTH, "SEEN",
            SHOW_SINCE_WIDTH, "SINCE",
            last_column(show, width + TARGET_WIDTH + SEEN_WIDTH + SHOW_SINCE_WIDTH + 4) > 4 ? " WHY"
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
