// The command line: each verb takes the fields of its request as options, and says so.
#include "controller/cli/options.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static struct options options;
static const char *verb;

static enum command_line read_line(const char *line)
{
    static char words[256];
    static char *argv[16];
    int argc = 0;
    snprintf(words, sizeof words, "popgate %s", line);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    options = (struct options){.wait_ms = 60000};
    verb = NULL;
    return options_read(&options, argv, &verb);
}

static struct taken taken_by(enum verb which)
{
    const struct verb_row *row = &verb_rows[which];
    return (struct taken){
        .options = row->fields | FIELD_BIT(OPTION_WAIT), .most = SIZE_MAX, .of = row};
}

static void usage_is(struct taken taken, const char *expected)
{
    char text[USAGE_MAX];
    assert_string_equal(options_usage(&taken, text), expected);
}

TEST(the_usage_of_a_verb_is_its_fields)
{
    usage_is(taken_by(VERB_DRAIN), "SERVICE...|--all [--reason TEXT] [--by TEXT] [--for TIME] "
                                   "[--grace TIME|--now] [--force] [--wait[=WHAT,TIME]]");
    usage_is(taken_by(VERB_UNDRAIN),
             "SERVICE...|--all [--reason TEXT] [--by TEXT] [--wait[=WHAT,TIME]]");
}

TEST(what_a_verb_needs_is_not_in_brackets)
{
    usage_is(taken_by(VERB_PIN),
             "SERVICE...|--all --reason TEXT [--by TEXT] --for TIME [--wait[=WHAT,TIME]]");
}

TEST(what_only_looks_has_its_services_last)
{
    usage_is((struct taken){.options = FIELD_BIT(FIELD_ALL), .most = SIZE_MAX},
             "[--all] [SERVICE...]");
    usage_is(
        (struct taken){.options = FIELD_BIT(OPTION_SINCE) | FIELD_BIT(OPTION_FOLLOW), .most = 1},
        "[--since N] [--follow] [SERVICE]");
    usage_is((struct taken){.least = 1, .most = 1}, "SERVICE");
    usage_is((struct taken){0}, "");
}

TEST(what_changes_no_service_waits_for_no_state_of_one)
{
    usage_is((struct taken){.options = FIELD_BIT(OPTION_WAIT)}, "[--wait[=TIME]]");
}

TEST(options_may_stand_anywhere)
{
    assert_int_equal(read_line("--json drain --for 10m dns --now token --socket /s"),
                     COMMAND_LINE_VERB);
    assert_string_equal(verb, "drain");
    assert_true(options.json);
    assert_string_equal(options.socket, "/s");
    assert_string_equal(options.values[FIELD_FOR], "10m");
    assert_string_equal(options.values[FIELD_NOW], "");
    assert_null(options.values[FIELD_GRACE]);
    assert_int_equal(options.service_count, 2);
    assert_string_equal(options.services[0], "dns");
    assert_string_equal(options.services[1], "token");
}

TEST(waiting_has_a_time_or_the_usual_one)
{
    assert_int_equal(read_line("drain dns --wait"), COMMAND_LINE_VERB);
    assert_non_null(options.values[OPTION_WAIT]);
    assert_int_equal(options.wait_ms, 60000);
    assert_int_equal(read_line("drain dns --wait=5s"), COMMAND_LINE_VERB);
    assert_int_equal(options.wait_ms, 5000);
    assert_int_equal(read_line("drain dns --wait=soon"), COMMAND_LINE_WRONG);
}

TEST(waiting_may_be_for_withdrawn_or_announced)
{
    assert_int_equal(read_line("drain dns --wait=withdrawn"), COMMAND_LINE_VERB);
    assert_int_equal(options.wait_for, WAIT_FOR_WITHDRAWN);
    assert_int_equal(options.wait_ms, 60000);
    assert_int_equal(read_line("undrain dns --wait=announced,5m"), COMMAND_LINE_VERB);
    assert_int_equal(options.wait_for, WAIT_FOR_ANNOUNCED);
    assert_int_equal(options.wait_ms, 300000);
    assert_int_equal(read_line("drain dns --wait=withdrawnn"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --wait=withdrawn,"), COMMAND_LINE_WRONG);
}

// `drain --al` drained the whole PoP.
TEST(an_option_is_never_shortened)
{
    assert_int_equal(read_line("drain --al"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --forc"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --wai=5s"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain --all"), COMMAND_LINE_VERB);
}

TEST(an_option_that_needs_a_value_does_not_take_the_next_option_for_it)
{
    assert_int_equal(read_line("drain dns --reason --now"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --reason"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --now=yes"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --reason=--now"), COMMAND_LINE_VERB);
    assert_string_equal(options.values[FIELD_REASON], "--now");
    assert_null(options.values[FIELD_NOW]);
}

TEST(what_follows_two_dashes_is_no_option)
{
    assert_int_equal(read_line("drain -- --now"), COMMAND_LINE_VERB);
    assert_int_equal(options.service_count, 1);
    assert_string_equal(options.services[0], "--now");
    assert_int_equal(read_line("drain -x"), COMMAND_LINE_WRONG);
}

TEST(what_is_not_utf_8_is_refused_and_not_left_out)
{
    assert_int_equal(read_line("drain dns --reason caf\xe9"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --reason=caf\xe9"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain \xff"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("drain dns --reason caf\xc3\xa9"), COMMAND_LINE_VERB);
}

TEST(errors_are_json_wherever_the_option_for_it_stands)
{
    assert_int_equal(read_line("drain --al --json"), COMMAND_LINE_WRONG);
    assert_true(options.json);
    assert_int_equal(read_line("drain \xff --json"), COMMAND_LINE_WRONG);
    assert_true(options.json);
    assert_int_equal(read_line("drain --al -- --json"), COMMAND_LINE_WRONG);
    assert_false(options.json);
}

TEST(a_verb_takes_no_other_verbs_options)
{
    struct taken drain = taken_by(VERB_DRAIN);
    struct taken isolate = taken_by(VERB_ISOLATE);
    read_line("isolate dns --force");
    assert_true(options_fit(&options, &drain));
    assert_false(options_fit(&options, &isolate));
    read_line("isolate dns --since 1");
    assert_false(options_fit(&options, &isolate));
    read_line("isolate dns --wait --reason x");
    assert_true(options_fit(&options, &isolate));
}

TEST(services_are_counted)
{
    struct taken one = {.least = 1, .most = 1};
    read_line("explain");
    assert_false(options_fit(&options, &one));
    read_line("explain dns");
    assert_true(options_fit(&options, &one));
    read_line("explain dns token");
    assert_false(options_fit(&options, &one));
}

TEST(an_unknown_option_is_wrong_and_no_verb_is_none)
{
    assert_int_equal(read_line("drain dns --forever"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line("--services dns"), COMMAND_LINE_WRONG);
    assert_int_equal(read_line(""), COMMAND_LINE_VERB);
    assert_null(verb);
    assert_int_equal(read_line("-h"), COMMAND_LINE_HELP);
    assert_int_equal(read_line("--version"), COMMAND_LINE_VERSION);
}
