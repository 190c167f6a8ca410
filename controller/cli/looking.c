// What only looks: status, explain, probes, events, check.
#include "controller/cli/commands.h"

#include "controller/cli/check.h"
#include "controller/cli/reading.h"
#include "controller/cli/show.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHECK_S 5L // whoever monitors waits for ten

#define FOLLOW_MS 1000

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

enum exit_status do_status(const struct options *options, const char *verb)
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

enum exit_status do_probes(const struct options *options, const char *verb)
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

enum exit_status do_explain(const struct options *options, const char *verb)
{
    char path[256];
    (void)verb;
    if (!path_with(path, sizeof path, "/v1/services/", options->services[0])) {
        return no_such_name(options->services[0]);
    }
    return show_answer(options, path, show_explain);
}

enum exit_status do_events(const struct options *options, const char *verb)
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

enum exit_status do_check(const struct options *options, const char *verb)
{
    struct answer answer;
    char line[CHECK_LINE_MAX];
    char path[256] = "/v1/status";
    int result = CHECK_UNKNOWN;
    (void)verb;
    if (options->service_count > 0 &&
        !path_with(path, sizeof path, "/v1/services/", options->services[0])) {
        printf("POPGATE UNKNOWN - no service can have such a name\n");
        return (enum exit_status)result;
    }
    enum exit_status reached = client_ask_within(options->socket, path, NULL, CHECK_S, &answer);
    if (reached == EXIT_DONE && answer.status == 404) {
        printf("POPGATE UNKNOWN - %s\n", words(answer.json, "error"));
    } else if (reached != EXIT_DONE || answer.status != 200 || answer.json == NULL) {
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
