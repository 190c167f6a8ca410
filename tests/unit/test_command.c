// What we ask of BIRD, as it is spelt; and our names there.
#include "birdctl/command.h"
#include "controller/core/names.h"
#include "tests/test.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

TEST(every_command_is_spelt_as_bird_reads_it)
{
    assert_string_equal(bird_enable("popgate?_pipe").text, "enable \"popgate?_pipe\"");
    assert_string_equal(bird_disable("popgate_*").text, "disable \"popgate_*\"");
    assert_string_equal(bird_enable_one("popgate_a_v4").text, "enable popgate_a_v4");
    assert_string_equal(bird_disable_one("popgate_a_v6_drain").text, "disable popgate_a_v6_drain");
    assert_string_equal(bird_show_protocols().text, "show protocols");
    assert_string_equal(bird_show_protocols_like("popgate_a_v*").text,
                        "show protocols \"popgate_a_v*\"");
    assert_string_equal(bird_show_protocols_all("popgate?_pipe").text,
                        "show protocols all \"popgate?_pipe\"");
    assert_string_equal(bird_show_protocol_all("popgate4_pipe").text,
                        "show protocols all popgate4_pipe");
    assert_string_equal(bird_show_route("2001:db8::/48", "master6").text,
                        "show route 2001:db8::/48 table master6 all");
    assert_string_equal(bird_show_export("192.0.2.1/32", "up1").text,
                        "show route 192.0.2.1/32 export 'up1' all");
    assert_string_equal(bird_show_exported("192.0.2.1/32", "up1").text,
                        "show route 192.0.2.1/32 exported 'up1'");
    assert_string_equal(bird_configure_status().text, "configure status");
    assert_string_equal(bird_configure_check().text, "configure check");
    assert_string_equal(bird_configure().text, "configure");
    assert_string_equal(bird_echo(4096).text, "echo all 4096");
}

TEST(a_name_that_would_make_another_command_makes_none)
{
    static const char *const names[] = {"", "a\" b", "a\nconfigure", "a\tb", "\x7f"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_string_equal(bird_disable(names[i]).text, "");
        assert_string_equal(bird_disable_one(names[i]).text, "");
        assert_string_equal(bird_enable_one(names[i]).text, "");
        assert_string_equal(bird_show_protocols_all(names[i]).text, "");
        assert_string_equal(bird_show_protocol_all(names[i]).text, "");
    }
    assert_string_equal(bird_disable_one("a b").text, ""); // b would be BIRD's message
    assert_string_equal(bird_disable_one("a*").text, "");
    assert_string_equal(bird_show_export("192.0.2.1/32", "a' all").text, "");
    assert_string_equal(bird_show_export("192.0.2.1/32 all", "a").text, "");
    assert_string_equal(bird_show_route("", "master4").text, "");
    assert_string_equal(bird_show_route("192.0.2.0/24", "").text, "");
    assert_string_equal(bird_show_route("192.0.2.0/24", "master4 count").text, "");
}

TEST(what_does_not_fit_is_not_cut_into_another_command)
{
    char name[BIRD_COMMAND_MAX + 1];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_string_equal(bird_disable(name).text, "");
    name[BIRD_COMMAND_MAX - 1 - strlen("disable \"\"")] = '\0';
    assert_int_equal(strlen(bird_disable(name).text), BIRD_COMMAND_MAX - 1);
}

static bool matches(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, 0) == 0;
}

TEST(no_protocol_is_called_as_another_service_s_and_patterns_match_what_they_say)
{
    static const char *const symbols[] = {"a", "a_v4", "a_v4_drain", "v4", "drain", "a_drain"};
    enum { SYMBOLS = sizeof symbols / sizeof *symbols };
    for (size_t i = 0; i < (size_t)SYMBOLS * SYMBOLS * LEGS * LEGS * FAMILIES; i++) {
        struct service_conf one = {.name = ""};
        struct service_conf other = {.name = ""};
        char pattern[BIRD_PROTOCOL_MAX + 8];
        char protocol[BIRD_PROTOCOL_MAX];
        char its[BIRD_PROTOCOL_MAX];
        size_t a = i % SYMBOLS;
        size_t b = i / SYMBOLS % SYMBOLS;
        enum leg_name leg = i / SYMBOLS / SYMBOLS % LEGS;
        enum leg_name other_leg = i / SYMBOLS / SYMBOLS / LEGS % LEGS;
        enum family family = i / SYMBOLS / SYMBOLS / LEGS / LEGS % FAMILIES;
        snprintf(one.symbol, sizeof one.symbol, "%s", symbols[a]);
        snprintf(other.symbol, sizeof other.symbol, "%s", symbols[b]);
        names_protocol(&one, family, leg, its);
        names_protocol(&other, family, other_leg, protocol);
        assert_int_equal(strcmp(its, protocol) == 0, a == b && leg == other_leg);
        assert_true(matches(NAMES_ALL, protocol));
        names_beginning(NAMES_OURS, true, pattern);
        assert_int_equal(matches(pattern, protocol), other_leg == LEG_DRAIN);
        assert_false(matches(NAMES_PIPES, protocol));
        assert_true(names_is_ours(protocol) && !names_is_pipe(protocol));
    }
}

TEST(pipes_are_matched_by_their_pattern_and_by_no_service_s)
{
    for (enum family family = FAMILY_V4; family < FAMILIES; family++) {
        assert_true(matches(NAMES_PIPES, names_pipe(family)));
        assert_false(matches(NAMES_ALL, names_pipe(family)));
        assert_true(names_is_pipe(names_pipe(family)));
        assert_false(names_is_ours(names_pipe(family)));
    }
}

TEST(the_longest_name_is_whole)
{
    struct service_conf service = {.name = ""};
    char protocol[BIRD_PROTOCOL_MAX];
    memset(service.symbol, 's', sizeof service.symbol - 1);
    names_protocol(&service, FAMILY_V6, LEG_DRAIN, protocol);
    assert_string_equal(protocol + strlen(protocol) - strlen("s_v6_drain"), "s_v6_drain");
}
