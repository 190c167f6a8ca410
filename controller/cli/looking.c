// What only looks: status, explain, probes, events, check.
#include "controller/cli/commands.h"

#include "controller/cli/check.h"
#include "controller/cli/reading.h"
#include "controller/cli/show.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_S 5L // whoever monitors waits for ten

#define FOLLOW_MS       1000
#define EVENTS_PATH_MAX 256

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
            show_error("no service `%s`", options->services[i]);
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
    struct show show = show_terminal();
    enum exit_status result = client_get(options->socket, path, &answer);
    if (result == EXIT_DONE && options->json) {
        show_json(answer.text);
    } else if (result == EXIT_DONE) {
        shown(&show, answer.json);
    }
    answer_clear(&answer);
    return result;
}

enum exit_status do_status(const struct options *options, const char *verb)
{
    struct answer answer;
    struct show show = show_terminal();
    (void)verb;
    enum exit_status result =
        client_get(options->socket,
                   is_given(options, FIELD_ALL) ? "/v1/status?full=1" : "/v1/status", &answer);
    if (result == EXIT_DONE) {
        result = services_exist(options, answer.json);
    }
    if (result == EXIT_DONE && options->json) {
        show_json(answer.text);
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
    show_error("no service `%.64s`", name);
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

static bool events_path(const struct options *options, uint64_t since, char path[EVENTS_PATH_MAX])
{
    char base[64];
    bool one = options->service_count > 0;
    snprintf(base, sizeof base, "/v1/events?since=%" PRIu64 "%s", since, one ? "&service=" : "");
    return path_with(path, EVENTS_PATH_MAX, base, one ? options->services[0] : "");
}

// Shows what came since, which goes on to the next. A popgated that began anew meanwhile counts
// from the beginning.
static enum exit_status show_news(const struct options *options, const struct show *show,
                                  uint64_t *since)
{
    char path[EVENTS_PATH_MAX];
    struct answer answer;
    if (!events_path(options, *since, path)) {
        return no_such_name(options->services[0]);
    }
    enum exit_status result = client_get(options->socket, path, &answer);
    uint64_t next = number(answer.json, "next");
    bool anew = result == EXIT_DONE && next < *since;
    bool nothing = json_array_size(at(answer.json, "events")) == 0;
    bool silent = nothing && is_given(options, OPTION_FOLLOW); // no line for each look
    if (result == EXIT_DONE && !anew && !silent && options->json) {
        show_json(answer.text);
    } else if (result == EXIT_DONE && !anew) {
        show_events(show, answer.json);
    }
    answer_clear(&answer);
    fflush(stdout);
    if (result == EXIT_DONE) {
        *since = anew ? 0 : next;
    }
    return result;
}

// Nobody reads any more: with nothing to write, no SIGPIPE tells.
static bool reader_is_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

// Until there is a popgated again, or nobody reads.
static void wait_for_daemon(const struct options *options)
{
    show_error("waiting for popgated to come back");
    while (!client_is_there(options->socket) && !reader_is_gone()) {
        pause_ms(FOLLOW_MS);
    }
}

enum exit_status do_events(const struct options *options, const char *verb)
{
    struct show show = show_terminal();
    const char *since_text = is_given(options, OPTION_SINCE) ? options->values[OPTION_SINCE] : "0";
    char *end;
    uint64_t since = strtoull(since_text, &end, 10);
    if (*end != '\0' || end == since_text) {
        show_error("%s: --since takes the number of an event, not `%s`", verb, since_text);
        return EXIT_USAGE;
    }
    enum exit_status result = show_news(options, &show, &since);
    while (is_given(options, OPTION_FOLLOW) && result == EXIT_DONE && !reader_is_gone()) {
        pause_ms(FOLLOW_MS);
        result = show_news(options, &show, &since);
        if (result == EXIT_NO_DAEMON) {
            wait_for_daemon(options);
            since = 0; // of its own
            result = EXIT_DONE;
        }
    }
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
    if (reached == EXIT_DONE && answer.status == 404 && options->json) {
        show_json(answer.text);
    } else if (reached == EXIT_DONE && answer.status == 404) {
        printf("POPGATE UNKNOWN - %s\n", words(answer.json, "error"));
    } else if ((reached != EXIT_DONE || answer.status != 200) && options->json) {
        show_json_error();
    } else if (reached != EXIT_DONE || answer.status != 200 || answer.json == NULL) {
        printf("POPGATE UNKNOWN - no status from popgated at %s\n", options->socket);
    } else if (options->json) {
        result = check_status(answer.json, line);
        show_json(answer.text);
    } else {
        result = check_status(answer.json, line);
        puts(line);
    }
    answer_clear(&answer);
    return (enum exit_status)result;
}
