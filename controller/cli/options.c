#include "controller/cli/options.h"

#include "base/keys.h"
#include "controller/cli/lines.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct own_option {
    const char *name;
    const char *value; // as usage tells it; NULL: it has none
    bool value_optional;
} own_options[OPTIONS - FIELDS] = {
    [OPTION_WAIT - FIELDS] = {"wait", "[=TIME]", true},
    [OPTION_SINCE - FIELDS] = {"since", " N", false},
    [OPTION_FOLLOW - FIELDS] = {"follow", NULL, false},
};

// ---- Reading

enum { LONG_SOCKET = 256, LONG_JSON, LONG_HELP, LONG_VERSION, LONG_OPTION };
#define LONG_OPTIONS (LONG_OPTION - LONG_SOCKET + OPTIONS)

static int argument_of(unsigned option)
{
    if (option < FIELDS) {
        return field_rows[option].kind == FIELD_FLAG ? no_argument : required_argument;
    }
    const struct own_option *own = &own_options[option - FIELDS];
    return own->value == NULL    ? no_argument
           : own->value_optional ? optional_argument
                                 : required_argument;
}

static const char *name_of(unsigned option)
{
    return option < FIELDS ? field_rows[option].name : own_options[option - FIELDS].name;
}

static void list_options(struct option out[LONG_OPTIONS])
{
    size_t count = 0;
    out[count++] = (struct option){"socket", required_argument, NULL, LONG_SOCKET};
    out[count++] = (struct option){"json", no_argument, NULL, LONG_JSON};
    out[count++] = (struct option){"help", no_argument, NULL, LONG_HELP};
    out[count++] = (struct option){"version", no_argument, NULL, LONG_VERSION};
    for (unsigned option = FIELD_SERVICES + 1; option < OPTIONS; option++) {
        out[count++] =
            (struct option){name_of(option), argument_of(option), NULL, LONG_OPTION + (int)option};
    }
    out[count] = (struct option){0};
}

static bool take_option(struct options *options, int option, const char *value)
{
    if (option < LONG_SOCKET) {
        return false;
    }
    if (option == LONG_SOCKET) {
        options->socket = value;
    } else if (option == LONG_JSON) {
        options->json = true;
    } else {
        options->values[option - LONG_OPTION] = value != NULL ? value : "";
    }
    if (option == LONG_OPTION + OPTION_WAIT && value != NULL &&
        !duration_parse(value, &options->wait_ms)) {
        show_line(stderr, "popgate: --wait takes a time such as 30s, not `%s`", value);
        return false;
    }
    return true;
}

enum command_line options_read(struct options *out, int argc, char **argv, const char **verb)
{
    struct option long_options[LONG_OPTIONS];
    int option;
    list_options(long_options);
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == LONG_HELP || option == 'h') {
            return COMMAND_LINE_HELP;
        }
        if (option == LONG_VERSION) {
            return COMMAND_LINE_VERSION;
        }
        if (!take_option(out, option, optarg)) {
            return COMMAND_LINE_WRONG;
        }
    }
    *verb = optind < argc ? argv[optind++] : NULL;
    out->services = argv + optind;
    out->service_count = (size_t)(argc - optind);
    return COMMAND_LINE_VERB;
}

bool options_fit(const struct options *options, const struct taken *taken)
{
    for (unsigned option = 0; option < OPTIONS; option++) {
        if (options->values[option] != NULL && (taken->options & FIELD_BIT(option)) == 0) {
            return false;
        }
    }
    return options->service_count >= taken->least && options->service_count <= taken->most;
}

// ---- Telling

struct usage {
    char *text; // of USAGE_MAX
    size_t length;
};

static void say(struct usage *usage, const char *word)
{
    size_t room = USAGE_MAX - usage->length;
    int length = snprintf(usage->text + usage->length, room, "%s", word);
    usage->length += (size_t)length < room ? (size_t)length : room - 1;
}

static void say_option(struct usage *usage, unsigned option)
{
    say(usage, "--");
    say(usage, name_of(option));
    if (option >= FIELDS) {
        const char *value = own_options[option - FIELDS].value;
        say(usage, value != NULL ? value : "");
    } else {
        enum field_kind kind = field_rows[option].kind;
        say(usage, kind == FIELD_TEXT ? " TEXT" : kind == FIELD_TIME ? " TIME" : "");
    }
}

// One, with those that may stand in its place.
static void say_choice(struct usage *usage, const struct taken *taken, unsigned option)
{
    bool needed = taken->of != NULL && option < FIELDS && taken->of->needs[option] != NULL;
    say(usage, usage->length > 0 ? " " : "");
    say(usage, needed ? "" : "[");
    say_option(usage, option);
    for (unsigned other = option + 1; other < FIELDS; other++) {
        if ((taken->options & FIELD_BIT(other)) != 0 &&
            (field_rows[other].instead_of & FIELD_BIT(option)) != 0) {
            say(usage, "|");
            say_option(usage, other);
        }
    }
    say(usage, needed ? "" : "]");
}

static bool stands_by_itself(const struct taken *taken, unsigned option)
{
    bool is_told = option == FIELD_SERVICES || (option == FIELD_ALL && taken->of != NULL);
    return (taken->options & FIELD_BIT(option)) != 0 && !is_told &&
           (option >= FIELDS || (field_rows[option].instead_of & taken->options) == 0);
}

const char *options_usage(const struct taken *taken, char out[USAGE_MAX])
{
    struct usage usage = {.text = out};
    out[0] = '\0';
    if (taken->of != NULL) {
        say(&usage, "SERVICE...|--all");
    }
    for (unsigned option = 0; option < OPTIONS; option++) {
        if (stands_by_itself(taken, option)) {
            say_choice(&usage, taken, option);
        }
    }
    if (taken->of == NULL && taken->most > 0) {
        say(&usage, usage.length > 0 ? " " : "");
        say(&usage, taken->least > 0 ? "SERVICE" : taken->most > 1 ? "[SERVICE...]" : "[SERVICE]");
    }
    return out;
}
