// popgate, the operator's command: a thin client of popgated's API on its Unix socket.
//
// Exit status: 0 done, 1 failed, 2 usage, 3 daemon out of reach, 4 refused by a guard, 5 timed out;
// `check` has its own (0 to 3, as Nagios plugins).
#include "base/clock.h"
#include "controller/cli/check.h"
#include "controller/cli/client.h"
#include "controller/cli/options.h"
#include "controller/cli/reading.h"
#include "controller/cli/show.h"

#include "base/keys.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#ifndef POPGATE_VERSION
#define POPGATE_VERSION "unknown"
#endif

#define SOCKET_PATH "/run/popgate/popgate.sock"
#define WAIT_MS     60000
#define POLL_MS     100
#define FOLLOW_MS   1000

static bool is_given(const struct options *options, unsigned option)
{
    return options->values[option] != NULL;
}

static struct show terminal(void)
{
    struct show show = {.out = stdout, .width = 80};
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    const char *no_colour = getenv("NO_COLOR");
    unsigned long wanted = columns != NULL ? strtoul(columns, NULL, 10) : 0;
    bool is_terminal = isatty(STDOUT_FILENO);
    if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        show.width = size.ws_col;
    }
    if (wanted >= 20 && wanted <= 1000) {
        show.width = (unsigned)wanted;
    }
    show.colour = is_terminal && (no_colour == NULL || no_colour[0] == '\0');
    return show;
}

// ---- reading ----

static const json_t *find_service(const json_t *status, const char *name)
{
    size_t i;
    json_t *service;
    json_array_foreach(at(status, "services"), i, service)
    {
        if (strcmp(words(service, "name"), name) == 0) {
            return service;
        }
    }
    return NULL;
}

static enum exit_status services_exist(const struct options *options, const json_t *status)
{
    for (size_t i = 0; i < options->service_count; i++) {
        if (find_service(status, options->services[i]) == NULL) {
            show_line(stderr, "popgate: no service `%s`", options->services[i]);
            return EXIT_FAILED;
        }
    }
    return EXIT_DONE;
}

// Gets path and shows it, or prints the JSON as it came.
static enum exit_status show_answer(const struct options *options, const char *path,
                                    void (*shown)(const struct show *show, const json_t *answer))
{
    struct answer answer;
    struct show show = terminal();
    enum exit_status result = client_get(options->socket, path, &answer);
    if (result == EXIT_DONE && options->json) {
        fputs(answer.text, stdout);
    } else if (result == EXIT_DONE) {
        shown(&show, answer.json);
    }
    answer_clear(&answer);
    return result;
}

static enum exit_status do_status(const struct options *options, const char *verb)
{
    struct answer answer;
    struct show show = terminal();
    (void)verb;
    enum exit_status result =
        client_get(options->socket,
                   is_given(options, FIELD_ALL) ? "/v1/status?full=1" : "/v1/status", &answer);
    if (result == EXIT_DONE) {
        result = services_exist(options, answer.json);
    }
    if (result == EXIT_DONE && options->json) {
        fputs(answer.text, stdout);
    } else if (result == EXIT_DONE) {
        show_status(&show, answer.json, options->services, options->service_count);
    }
    answer_clear(&answer);
    return result;
}

static enum exit_status do_probes(const struct options *options, const char *verb)
{
    (void)verb;
    return show_answer(options, "/v1/status", show_probes);
}

// base with name, escaped for a URL, after it.
static bool path_with(char *out, size_t size, const char *base, const char *name)
{
    char *escaped = curl_easy_escape(NULL, name, 0);
    int length = escaped != NULL ? snprintf(out, size, "%s%s", base, escaped) : -1;
    curl_free(escaped);
    return length > 0 && (size_t)length < size;
}

static enum exit_status no_such_name(const char *name)
{
    show_line(stderr, "popgate: no service `%.64s`", name);
    return EXIT_FAILED;
}

static enum exit_status do_explain(const struct options *options, const char *verb)
{
    char path[256];
    (void)verb;
    if (!path_with(path, sizeof path, "/v1/services/", options->services[0])) {
        return no_such_name(options->services[0]);
    }
    return show_answer(options, path, show_explain);
}

static void pause_ms(uint64_t ms)
{
    struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

static enum exit_status do_events(const struct options *options, const char *verb)
{
    struct show show = terminal();
    const char *since_text = is_given(options, OPTION_SINCE) ? options->values[OPTION_SINCE] : "0";
    char *end;
    uint64_t since = strtoull(since_text, &end, 10);
    enum exit_status result = EXIT_DONE;
    if (*end != '\0' || end == since_text) {
        show_line(stderr, "popgate %s: --since takes the number of an event, not `%s`", verb,
                  since_text);
        return EXIT_USAGE;
    }
    do {
        char base[64];
        char path[256];
        struct answer answer;
        snprintf(base, sizeof base, "/v1/events?since=%" PRIu64 "%s", since,
                 options->service_count > 0 ? "&service=" : "");
        if (!path_with(path, sizeof path, base,
                       options->service_count > 0 ? options->services[0] : "")) {
            return no_such_name(options->services[0]);
        }
        result = client_get(options->socket, path, &answer);
        if (result == EXIT_DONE && options->json) {
            fputs(answer.text, stdout);
        } else if (result == EXIT_DONE) {
            show_events(&show, answer.json);
        }
        since = number(answer.json, "next");
        answer_clear(&answer);
        fflush(stdout);
        if (is_given(options, OPTION_FOLLOW) && result == EXIT_DONE) {
            pause_ms(FOLLOW_MS);
        }
    } while (is_given(options, OPTION_FOLLOW) && result == EXIT_DONE);
    return result;
}

static enum exit_status do_check(const struct options *options, const char *verb)
{
    struct answer answer;
    char line[CHECK_LINE_MAX];
    enum exit_status reached = client_ask(options->socket, "/v1/status", NULL, &answer);
    int result = CHECK_UNKNOWN;
    (void)verb;
    if (reached != EXIT_DONE || answer.status != 200 || answer.json == NULL) {
        printf("POPGATE UNKNOWN - no status from popgated at %s\n", options->socket);
    } else if (options->json) {
        result = check_status(answer.json, line);
        fputs(answer.text, stdout);
    } else {
        result = check_status(answer.json, line);
        puts(line);
    }
    answer_clear(&answer);
    return (enum exit_status)result;
}

// ---- changing ----

static json_t *names_of(const struct options *options)
{
    json_t *names = json_array();
    for (size_t i = 0; i < options->service_count; i++) {
        json_array_append_new(names, json_string(options->services[i]));
    }
    return names;
}

// The request's body, malloc'd; NULL when out of memory.
static char *change_body(const struct options *options)
{
    json_t *body = json_object();
    if (options->service_count > 0) {
        json_object_set_new(body, field_rows[FIELD_SERVICES].name, names_of(options));
    }
    for (unsigned field = FIELD_SERVICES + 1; field < FIELDS; field++) {
        const char *value = options->values[field];
        if (value != NULL) {
            json_object_set_new(body, field_rows[field].name,
                                field_rows[field].kind == FIELD_FLAG ? json_true()
                                                                     : json_string(value));
        }
    }
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

static bool is_concerned(const struct options *options, const json_t *service)
{
    const char *name = words(service, "name");
    for (size_t i = 0; i < options->service_count; i++) {
        if (strcmp(options->services[i], name) == 0) {
            return true;
        }
    }
    return is_given(options, FIELD_ALL);
}

// Says one sentence for each service concerned; returns whether all are seen as they are to be.
static bool all_seen(const struct options *options, const json_t *status, bool say)
{
    const struct show show = {.out = stdout, .width = 80};
    size_t i;
    json_t *service;
    bool all = true;
    json_array_foreach(at(status, "services"), i, service)
    {
        if (is_concerned(options, service)) {
            all = all && yes(service, "seen");
            if (say) {
                show_sentence(&show, status, service);
            }
        }
    }
    return all;
}

static uint64_t now_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

// Waits until BIRD is seen to do what the services' targets say.
static enum exit_status wait_seen(const struct options *options)
{
    uint64_t until_ms = now_ms() + options->wait_ms;
    for (;;) {
        struct answer answer;
        enum exit_status result = client_get(options->socket, "/v1/status", &answer);
        bool seen = result == EXIT_DONE && all_seen(options, answer.json, false);
        bool over = now_ms() >= until_ms;
        if (result == EXIT_DONE && (seen || over)) {
            if (options->json) {
                fputs(answer.text, stdout);
            } else {
                all_seen(options, answer.json, true);
            }
        }
        answer_clear(&answer);
        if (result != EXIT_DONE || seen) {
            return result;
        }
        if (over) {
            fputs("popgate: it was done, but BIRD is not seen to do it yet: look at popgate "
                  "explain\n",
                  stderr);
            return EXIT_TIMED_OUT;
        }
        pause_ms(POLL_MS);
    }
}

static enum exit_status post(const struct options *options, const char *verb, const char *body)
{
    struct answer answer;
    char path[64];
    snprintf(path, sizeof path, "/v1/%s", verb);
    enum exit_status result = client_ask(options->socket, path, body, &answer);
    if (result == EXIT_DONE) {
        result = client_judge(&answer);
    }
    if (result == EXIT_DONE && options->json && !is_given(options, OPTION_WAIT)) {
        fputs(answer.text, stdout);
    } else if (result == EXIT_DONE && !options->json) {
        const char *message = words(answer.json, "message");
        show_line(stdout, "%s", message[0] != '\0' ? message : "done");
    }
    answer_clear(&answer);
    return result;
}

static enum exit_status do_change(const struct options *options, const char *verb)
{
    if (is_given(options, FIELD_ALL) == (options->service_count > 0)) {
        show_line(stderr, "popgate %s: name the services, or say --all", verb);
        return EXIT_USAGE;
    }
    char *body = change_body(options);
    if (body == NULL) {
        fputs("popgate: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    enum exit_status result = post(options, verb, body);
    free(body);
    return result == EXIT_DONE && is_given(options, OPTION_WAIT) ? wait_seen(options) : result;
}

static enum exit_status do_reload(const struct options *options, const char *verb)
{
    return post(options, verb, "{}");
}

// ---- the command line ----

struct command {
    const char *name;
    enum exit_status (*run)(const struct options *options, const char *verb);
    struct taken taken;
};

static const struct command looking[] = {
    {"status", do_status, {.options = FIELD_BIT(FIELD_ALL), .most = SIZE_MAX}},
    {"explain", do_explain, {.least = 1, .most = 1}},
    {"probes", do_probes, {0}},
    {"events",
     do_events,
     {.options = FIELD_BIT(OPTION_SINCE) | FIELD_BIT(OPTION_FOLLOW), .most = 1}},
};
static const struct command others[] = {
    {"reload", do_reload, {0}},
    {"check", do_check, {0}},
};
#define LOOKING (sizeof looking / sizeof *looking)
#define OTHERS  (sizeof others / sizeof *others)

// In the order of usage: what looks, the verbs that change intent, the rest.
static struct command command_at(size_t i)
{
    if (i < LOOKING) {
        return looking[i];
    }
    if (i >= LOOKING + VERBS) {
        return others[i - LOOKING - VERBS];
    }
    const struct verb_row *row = &verb_rows[i - LOOKING];
    return (struct command){
        .name = row->name,
        .run = do_change,
        .taken = {.options = row->fields | FIELD_BIT(OPTION_WAIT), .most = SIZE_MAX, .of = row}};
}
#define COMMANDS (LOOKING + VERBS + OTHERS)

static void usage(FILE *out)
{
    fputs("usage: popgate [--socket PATH] [--json] VERB ...\n", out);
    for (size_t i = 0; i < COMMANDS; i++) {
        struct command command = command_at(i);
        char text[USAGE_MAX];
        options_usage(&command.taken, text);
        fprintf(out, "  %s%s%s\n", command.name, text[0] != '\0' ? " " : "", text);
    }
}

static bool find_command(const char *name, struct command *out)
{
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < COMMANDS; i++) {
        *out = command_at(i);
        if (strcmp(out->name, name) == 0) {
            return true;
        }
        nearest_offer(&nearest, out->name);
    }
    if (nearest.best != NULL) {
        show_line(stderr, "popgate: unknown verb `%s`; did you mean `%s`?", name, nearest.best);
    } else {
        show_line(stderr, "popgate: unknown verb `%s`", name);
    }
    return false;
}

static enum exit_status run(const struct options *options, const char *name)
{
    struct command command;
    char text[USAGE_MAX];
    if (!find_command(name, &command)) {
        return EXIT_USAGE;
    }
    if (!options_fit(options, &command.taken)) {
        fprintf(stderr, "usage: popgate %s %s\n", command.name,
                options_usage(&command.taken, text));
        return EXIT_USAGE;
    }
    return command.run(options, command.name);
}

int main(int argc, char **argv)
{
    struct options options = {.socket = SOCKET_PATH, .wait_ms = WAIT_MS};
    const char *verb = NULL;
    switch (options_read(&options, argc, argv, &verb)) {
    case COMMAND_LINE_HELP:
        usage(stdout);
        return EXIT_DONE;
    case COMMAND_LINE_VERSION:
        puts("popgate " POPGATE_VERSION);
        return EXIT_DONE;
    case COMMAND_LINE_WRONG:
        return EXIT_USAGE;
    case COMMAND_LINE_VERB:
        break;
    }
    if (verb == NULL) {
        usage(stderr);
        return EXIT_USAGE;
    }
    curl_global_init(CURL_GLOBAL_NOTHING);
    enum exit_status result = run(&options, verb);
    curl_global_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("popgate: can't write");
        return EXIT_FAILED;
    }
    return (int)result;
}
