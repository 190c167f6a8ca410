// Single configuration values: what is accepted, what is refused, and in which words.
#include "base/keys.h"

#include "tests/test.h"

#include <stdio.h>
#include <string.h>

struct sample {
    char text[8];
    char word[8];
    bool flag;
    uint64_t number;
    uint64_t time_ms;
    int choice;
    struct endpoint endpoint, address;
};

static const char *const colours[] = {"amber", "green", NULL};

static const struct key sample_keys[] = {
    {.name = "text", .kind = KEY_STRING, .offset = offsetof(struct sample, text), .size = 8},
    {.name = "word", .kind = KEY_WORD, .offset = offsetof(struct sample, word), .size = 8},
    {.name = "flag", .kind = KEY_BOOL, .offset = offsetof(struct sample, flag), .fallback = "on"},
    {.name = "number",
     .kind = KEY_UINT,
     .offset = offsetof(struct sample, number),
     .min = 2,
     .max = 9,
     .fallback = "3"},
    {.name = "time",
     .kind = KEY_DURATION,
     .offset = offsetof(struct sample, time_ms),
     .min = 10,
     .max = 60000},
    {.name = "colour",
     .kind = KEY_CHOICE,
     .offset = offsetof(struct sample, choice),
     .choices = colours},
    {.name = "endpoint", .kind = KEY_ENDPOINT, .offset = offsetof(struct sample, endpoint)},
    {.name = "address", .kind = KEY_ADDRESS, .offset = offsetof(struct sample, address)},
    KEY_END,
};

static char error[ERROR_MAX];

static bool accepts(struct sample *sample, const char *name, const char *value)
{
    return key_set(key_find(sample_keys, name), value, sample, error) == 0;
}

static void assert_refused(const char *name, const char *value, const char *saying)
{
    struct sample sample = {.choice = 7};
    struct sample before = sample;
    assert_false(accepts(&sample, name, value));
    assert_non_null(strstr(error, saying));
    assert_memory_equal(&sample, &before, sizeof sample);
}

TEST(a_duration_has_a_unit)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"250ms", 250}, {"10s", 10000}, {"5m", 300000}, {"2h", 7200000}, {"1d", 86400000}};
    uint64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(duration_parse(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    static const char *const bad[] = {"",    "10",  "s",    "-1s", "+1s",
                                      " 1s", "1 s", "1.5s", "1S",  "1sec"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(duration_parse(bad[i], &ms));
    }
    assert_refused("time", "10", "whole number and its unit");
}

TEST(a_duration_too_long_for_nanoseconds_is_refused)
{
    uint64_t ms;
    assert_true(duration_parse("18446744073709ms", &ms));
    assert_false(duration_parse("18446744073710ms", &ms));
    assert_false(duration_parse("18446744073709551616ms", &ms));
    assert_false(duration_parse("213504d", &ms));
}

TEST(a_duration_is_written_as_one_would)
{
    char text[DURATION_TEXT_MAX];
    assert_string_equal(duration_text(0, text), "0ms");
    assert_string_equal(duration_text(1500, text), "1500ms");
    assert_string_equal(duration_text(600000, text), "10m");
    assert_string_equal(duration_text(86400000, text), "1d");
}

TEST(a_value_out_of_range_names_the_range)
{
    assert_refused("number", "1", "1 is not within 2 to 9");
    assert_refused("number", "10", "10 is not within 2 to 9");
    assert_refused("time", "9ms", "9ms is not within 10ms to 1m");
    assert_refused("time", "2m", "2m is not within 10ms to 1m");
}

TEST(a_number_is_digits_and_nothing_else)
{
    struct sample sample = {0};
    assert_true(accepts(&sample, "number", "9"));
    assert_int_equal(sample.number, 9);
    assert_refused("number", "-3", "not a whole number");
    assert_refused("number", "0x3", "not a whole number");
    assert_refused("number", "3 ", "not a whole number");
    assert_refused("number", "18446744073709551619", "not a whole number");
}

TEST(a_switch_knows_its_words)
{
    struct sample sample = {0};
    static const char *const on[] = {"yes", "on", "true", "auto"};
    static const char *const off[] = {"no", "off", "false"};
    for (size_t i = 0; i < 4; i++) {
        sample.flag = false;
        assert_true(accepts(&sample, "flag", on[i]));
        assert_true(sample.flag);
    }
    for (size_t i = 0; i < 3; i++) {
        sample.flag = true;
        assert_true(accepts(&sample, "flag", off[i]));
        assert_false(sample.flag);
    }
    assert_refused("flag", "1", "neither on nor off");
}

TEST(text_that_does_not_fit_is_refused_not_cut)
{
    struct sample sample = {0};
    assert_true(accepts(&sample, "text", "a b c d"));
    assert_string_equal(sample.text, "a b c d");
    assert_refused("text", "a b c de", "8 bytes, at most 7");
    assert_refused("word", "12345678", "8 bytes, at most 7");
    assert_refused("word", "a b", "white space");
}

TEST(an_empty_value_is_refused)
{
    for (const struct key *key = sample_keys; key->name != NULL; key++) {
        assert_refused(key->name, "", "has no value");
    }
}

TEST(a_wrong_choice_names_the_choices_and_the_nearest)
{
    struct sample sample = {0};
    assert_true(accepts(&sample, "colour", "green"));
    assert_int_equal(sample.choice, 1);
    assert_refused("colour", "gren", "not one of amber, green; did you mean green?");
    assert_refused("colour", "x", "not one of amber, green");
}

TEST(an_endpoint_is_read_and_written_alike)
{
    static const char *const good[] = {"192.0.2.1:53", "[2001:db8::1]:53", "[::1]:65535",
                                       "[::ffff:192.0.2.1]:1"};
    struct endpoint endpoint;
    char text[ENDPOINT_TEXT_MAX];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(endpoint_parse(good[i], true, &endpoint, error), 0);
        assert_string_equal(endpoint_text(&endpoint, text), good[i]);
    }
    assert_int_equal(endpoint_parse("2001:db8::1", false, &endpoint, error), 0);
    assert_string_equal(endpoint_text(&endpoint, text), "2001:db8::1");
    assert_int_equal(endpoint_parse("192.0.2.1", false, &endpoint, error), 0);
    assert_string_equal(endpoint_text(&endpoint, text), "192.0.2.1");
}

TEST(an_endpoint_not_set_is_no_text)
{
    struct endpoint none = {.length = 0};
    char text[ENDPOINT_TEXT_MAX] = "left over";
    assert_string_equal(endpoint_text(&none, text), "");
}

TEST(what_is_not_an_endpoint_is_refused)
{
    static const char *const bad[] = {"192.0.2.1",
                                      "192.0.2.1:",
                                      "192.0.2.1:0",
                                      "192.0.2.1:65536",
                                      "192.0.2.1:53 ",
                                      "192.0.2.256:53",
                                      "2001:db8::1:53",
                                      "[2001:db8::1]",
                                      "[2001:db8::1]53",
                                      "[192.0.2.1]:53",
                                      "localhost:53",
                                      ":53",
                                      "[::1",
                                      "[fe80::1%lo]:53",
                                      "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused("endpoint", bad[i], "is not address:port");
    }
    assert_refused("address", "192.0.2.1:53", "is not an address");
    assert_refused("address", "[::1]", "is not an address");
}

TEST(fallbacks_fill_only_what_has_one)
{
    struct sample sample = {0};
    key_set_fallbacks(sample_keys, &sample);
    assert_true(sample.flag);
    assert_int_equal(sample.number, 3);
    assert_int_equal(sample.time_ms, 0);
    assert_int_equal(sample.endpoint.length, 0);
}

static const char *nearest_to(const char *wanted)
{
    struct nearest nearest = {.wanted = wanted};
    for (const struct key *key = sample_keys; key->name != NULL; key++) {
        nearest_offer(&nearest, key->name);
    }
    return nearest.best;
}

TEST(the_nearest_name_is_near)
{
    assert_string_equal(nearest_to("nubmer"), "number");
    assert_string_equal(nearest_to("endpoints"), "endpoint");
    assert_string_equal(nearest_to("tiem"), "time");
    assert_null(nearest_to("tx"));
    assert_null(nearest_to("interval"));
}

TEST(the_nearer_of_two_wins)
{
    struct nearest nearest = {.wanted = "dns-udp4"};
    nearest_offer(&nearest, "dns-tcp4");
    nearest_offer(&nearest, "dns-udp6");
    nearest_offer(&nearest, "dns-tcp6");
    assert_string_equal(nearest.best, "dns-udp6");
}
