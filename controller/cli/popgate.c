// popgate, the operator's command: a thin client of popgated's API on its Unix socket.
//
// Exit status: 0 done, 1 failed, 2 usage, 3 daemon out of reach, 4 refused by a guard or by what
// stands, 5 timed out;
// `check` has its own (0 to 3, as Nagios plugins).
#include "base/file.h"
#include "base/keys.h"
#include "controller/cli/commands.h"
#include "controller/cli/lines.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#ifndef POPGATE_VERSION
#define POPGATE_VERSION "unknown"
#endif

#define SOCKET_PATH "/run/popgate/popgate.sock"
#define WAIT_MS     60000

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
    {"reload", do_reload, {.options = FIELD_BIT(OPTION_WAIT)}},
    {"check", do_check, {.most = 1}},
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

static bool only_looks(const char *name)
{
    for (size_t i = 0; i < LOOKING; i++) {
        if (strcmp(looking[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

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
        show_error("unknown verb `%s`; did you mean `%s`?", name, nearest.best);
    } else {
        show_error("unknown verb `%s`", name);
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
    (void)argc;
    struct options options = {.socket = SOCKET_PATH, .wait_ms = WAIT_MS};
    const char *verb = NULL;
    if (!file_open_standard()) {
        return EXIT_FAILED;
    }
    switch (options_read(&options, argv, &verb)) {
    case COMMAND_LINE_HELP:
        usage(stdout);
        return EXIT_DONE;
    case COMMAND_LINE_VERSION:
        puts("popgate " POPGATE_VERSION);
        return EXIT_DONE;
    case COMMAND_LINE_WRONG:
        if (options.json) {
            show_json_error();
        }
        return EXIT_USAGE;
    case COMMAND_LINE_VERB:
        break;
    }
    if (verb == NULL) {
        show_error("a verb is missing");
        usage(stderr);
        if (options.json) {
            show_json_error();
        }
        return EXIT_USAGE;
    }
    curl_global_init(CURL_GLOBAL_NOTHING);
    enum exit_status result = run(&options, verb);
    if (options.json && result != EXIT_DONE) {
        show_json_error();
    }
    curl_global_cleanup();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("popgate: can't write");
        // What was done is done, and a check's status speaks for itself.
        return result == EXIT_DONE && only_looks(verb) ? EXIT_FAILED : (int)result;
    }
    return (int)result;
}
