#include "controller/cli/options.h"

#include "base/keys.h"
#include "base/text.h"
#include "controller/cli/lines.h"

#include <stdio.h>
#include <string.h>

#define OPTION_NAME_MAX 32

static const struct own_option {
    const char *name;
    const char *value; // as usage tells it; NULL: it has none
    bool value_optional;
} own_options[OPTIONS - FIELDS] = {
    [OPTION_WAIT - FIELDS] = {"wait", "[=WHAT,TIME]", true},
    [OPTION_SINCE - FIELDS] = {"since", " N", false},
    [OPTION_FOLLOW - FIELDS] = {"follow", NULL, false},
};

// ---- Reading

// Beside the verbs' own.
enum { LONG_SOCKET = OPTIONS, LONG_JSON, LONG_HELP, LONG_VERSION, LONG_OPTIONS };

enum value_kind { VALUE_NONE, VALUE_NEEDED, VALUE_OPTIONAL };

static enum value_kind value_of(unsigned option)
{
    if (option >= OPTIONS) {
        return option == LONG_SOCKET ? VALUE_NEEDED : VALUE_NONE;
    }
    if (option < FIELDS) {
        return field_rows[option].kind == FIELD_FLAG ? VALUE_NONE : VALUE_NEEDED;
    }
    const struct own_option *own = &own_options[option - FIELDS];
    return own->value == NULL ? VALUE_NONE : own->value_optional ? VALUE_OPTIONAL : VALUE_NEEDED;
}

static const char *name_of(unsigned option)
{
    static const char *const others[] = {"socket", "json", "help", "version"};
    return option < FIELDS    ? field_rows[option].name
           : option < OPTIONS ? own_options[option - FIELDS].name
                              : others[option - OPTIONS];
}

// By its whole name: `--al` may be a slip, and `drain --all` is the whole PoP. LONG_OPTIONS, with
// the nearest one said: there is none.
static unsigned find_option(const char *name, size_t length)
{
    char wanted[OPTION_NAME_MAX];
    snprintf(wanted, sizeof wanted, "%.*s", (int)length, name);
    struct nearest nearest = {.wanted = wanted};
    for (unsigned option = FIELD_SERVICES + 1; option < LONG_OPTIONS; option++) {
        if (strcmp(name_of(option), wanted) == 0) {
            return option;
        }
        nearest_offer(&nearest, name_of(option));
    }
    if (nearest.best != NULL) {
        show_error("unknown option `--%s`; did you mean `--%s`?", wanted, nearest.best);
    } else {
        show_error("unknown option `--%s`", wanted);
    }
    return LONG_OPTIONS;
}

// "withdrawn", "5m", or both with a comma between.
static bool take_wait(struct options *options, const char *value)
{
    static const char *const names[] = {
        [WAIT_FOR_WITHDRAWN] = "withdrawn", [WAIT_FOR_ANNOUNCED] = "announced"};
    const char *time = value;
    for (unsigned i = WAIT_FOR_WITHDRAWN; i <= WAIT_FOR_ANNOUNCED; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(value, names[i], length) == 0 &&
            (value[length] == ',' || value[length] == '\0')) {
            options->wait_for = i;
            time = value[length] == ',' ? value + length + 1 : NULL;
        }
    }
    if (time != NULL && !duration_parse(time, &options->wait_ms)) {
        show_error("--wait takes withdrawn or announced, a time such as 30s, or both with a comma "
                   "between, not `%s`",
                   value);
        return false;
    }
    return true;
}

static bool take_option(struct options *options, unsigned option, const char *value)
{
    if (option == LONG_SOCKET) {
        options->socket = value;
    } else if (option != LONG_JSON) { // as wants_json() has it
        options->values[option] = value != NULL ? value : "";
    }
    return option != OPTION_WAIT || value == NULL || take_wait(options, value);
}

// The option's value: after its '=', or the next argument, at which *next points then. False: it
// has none and needs one, or the other way round.
static bool find_value(unsigned option, const char *after, char ***next, const char **value)
{
    enum value_kind kind = value_of(option);
    *value = *after == '=' ? after + 1 : NULL;
    if (kind == VALUE_NONE && *value != NULL) {
        show_error("`--%s` takes no value", name_of(option));
        return false;
    }
    if (kind != VALUE_NEEDED || *value != NULL) {
        return true;
    }
    if (**next == NULL || strncmp(**next, "--", 2) == 0) {
        show_error("`--%s` needs a value%s%s%s", name_of(option),
                   **next != NULL ? "; if it is to begin so, write --" : "",
                   **next != NULL ? name_of(option) : "", **next != NULL ? "=VALUE" : "");
        return false;
    }
    *value = *(*next)++;
    return true;
}

// What can't be told to popgated is not left out of what it is told.
static bool is_text(const char *word)
{
    for (const char *at = word; *at != '\0'; at += utf8_length(at)) {
        if (utf8_length(at) == 0) {
            show_error("`%s` is not UTF-8", word);
            return false;
        }
    }
    return true;
}

// Whoever reads JSON does so from the first error on, wherever the option stands.
static bool wants_json(char *const *words)
{
    for (; *words != NULL && strcmp(*words, "--") != 0; words++) {
        if (strcmp(*words, "--json") == 0) {
            return true;
        }
    }
    return false;
}

enum command_line options_read(struct options *out, char **argv, const char **verb)
{
    char **next = argv + 1;
    size_t words = 0; // moved to the beginning of argv
    bool words_only = false;
    out->json = wants_json(next);
    while (*next != NULL) {
        char *word = *next++;
        const char *value;
        if (!is_text(word)) {
            return COMMAND_LINE_WRONG;
        }
        if (words_only || word[0] != '-' || word[1] == '\0') {
            argv[words++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            words_only = true;
            continue;
        }
        if (strcmp(word, "-h") == 0) {
            return COMMAND_LINE_HELP;
        }
        if (word[1] != '-') {
            show_error("unknown option `%s`", word);
            return COMMAND_LINE_WRONG;
        }
        size_t length = strcspn(word + 2, "=");
        unsigned option = find_option(word + 2, length);
        if (option == LONG_HELP || option == LONG_VERSION) {
            return option == LONG_HELP ? COMMAND_LINE_HELP : COMMAND_LINE_VERSION;
        }
        if (option == LONG_OPTIONS || !find_value(option, word + 2 + length, &next, &value) ||
            (value != NULL && !is_text(value)) || !take_option(out, option, value)) {
            return COMMAND_LINE_WRONG;
        }
    }
    *verb = words > 0 ? argv[0] : NULL;
    out->services = argv + (words > 0);
    out->service_count = words - (words > 0);
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

static void say_option(struct usage *usage, const struct taken *taken, unsigned option)
{
    say(usage, "--");
    say(usage, name_of(option));
    if (option == OPTION_WAIT && taken->of == NULL) {
        say(usage, "[=TIME]"); // there is nothing that services could be waited to be
    } else if (option >= FIELDS) {
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
    say_option(usage, taken, option);
    for (unsigned other = option + 1; other < FIELDS; other++) {
        if ((taken->options & FIELD_BIT(other)) != 0 &&
            (field_rows[other].instead_of & FIELD_BIT(option)) != 0) {
            say(usage, "|");
            say_option(usage, taken, other);
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
