// The reply parser takes what BIRD really says apart into lines, whatever comes and however it
// comes.
#include "tests/unit/reply_fixture.h"

static size_t byte_by_byte(void)
{
    return 1;
}

static unsigned seed;

static size_t at_random(void)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % 97;
}

static size_t count_kind(const struct lines *lines, enum bird_line_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++) {
        count += lines->items[i].kind == kind;
    }
    return count;
}

static void assert_same(const struct lines *a, const struct lines *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].kind, b->items[i].kind);
        assert_int_equal(a->items[i].code, b->items[i].code);
        assert_int_equal(a->items[i].cut, b->items[i].cut);
        assert_int_equal(a->items[i].length, b->items[i].length);
        assert_string_equal(a->items[i].text, b->items[i].text);
    }
}

static const struct {
    const char *what;
    size_t replies, echoes; // the greeting too; echoes where the version has them
} recordings[] = {
    {"protocols", 9, 0},   {"routes", 17, 0}, {"switching", 18, 0}, {"configure", 14, 0},
    {"timeformat", 10, 0}, {"echo", 4, 4},    {"sessions", 10, 0},
};
#define RECORDINGS (sizeof recordings / sizeof *recordings)

TEST(every_recording_is_read_whole_and_nothing_in_it_is_garbled)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        for (size_t i = 0; i < RECORDINGS; i++) {
            struct lines *lines = read_recording(version, recordings[i].what);
            assert_int_equal(count_kind(lines, BIRD_GARBLED), 0);
            assert_int_equal(count_kind(lines, BIRD_LAST), recordings[i].replies);
            assert_int_equal(count_kind(lines, BIRD_ECHO),
                             has_echo(version) ? recordings[i].echoes : 0);
            forget(lines);
        }
    }
}

static void assert_any_split_gives_the_same(const char *bytes, size_t length)
{
    struct lines *once = read_in_pieces(bytes, length, whole);
    struct lines *single = read_in_pieces(bytes, length, byte_by_byte);
    assert_same(once, single);
    forget(single);
    for (seed = 1; seed < 20000; seed += 997) {
        unsigned kept = seed;
        struct lines *split = read_in_pieces(bytes, length, at_random);
        assert_same(once, split);
        forget(split);
        seed = kept;
    }
    forget(once);
}

TEST(any_split_of_the_bytes_gives_the_same_lines)
{
    static char bytes[RECORDING_MAX];
    for (size_t version = 0; version < VERSIONS; version++) {
        for (size_t i = 0; i < RECORDINGS; i++) {
            assert_any_split_gives_the_same(bytes, load(version, recordings[i].what, bytes));
        }
    }
}

TEST(a_line_is_not_reported_before_its_newline)
{
    struct lines *lines = read_text("0009-a: disabled\n0000 ");
    assert_int_equal(lines->count, 1);
    forget(lines);
}

TEST(a_continuation_takes_the_code_before_it_also_across_an_echo)
{
    struct lines *lines = read_text("1002-a\n+somebody did something\n b\n  c\n0000 \n");
    assert_int_equal(lines->count, 5);
    assert_int_equal(lines->items[1].kind, BIRD_ECHO);
    assert_int_equal(lines->items[1].code, 0);
    assert_string_equal(lines->items[1].text, "somebody did something");
    assert_int_equal(lines->items[2].code, 1002);
    assert_string_equal(lines->items[2].text, "b");
    assert_int_equal(lines->items[3].code, 1002);
    assert_string_equal(lines->items[3].text, " c");
    assert_int_equal(lines->items[4].kind, BIRD_LAST);
    assert_int_equal(lines->items[4].code, 0);
    assert_string_equal(lines->items[4].text, "");
    forget(lines);
}

TEST(word_of_lost_messages_is_an_echo_though_it_has_no_plus)
{
    struct lines *lines = read_text("<12 messages lost>\n+Reconfigured\n");
    assert_int_equal(count_kind(lines, BIRD_ECHO), 2);
    assert_string_equal(lines->items[0].text, "<12 messages lost>");
    forget(lines);
}

TEST(what_is_not_of_the_protocol_is_garbled)
{
    static const char *const garbage[] = {
        "\n",          "hello\n",   " continues nothing\n", "8003 x\n more\n",
        "12-x\n",      "12345 x\n", "000x text\n",          "0009+text\n",
        "<12 pigs>\n", "0000\n",    " messages lost>\n",
    };
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        struct lines *lines = read_text(garbage[i]);
        assert_int_equal(lines->items[lines->count - 1].kind, BIRD_GARBLED);
        forget(lines);
    }
    struct lines *nul = read_in_pieces("0009 a\0b\n", 9, whole);
    assert_int_equal(nul->items[0].kind, BIRD_GARBLED);
    forget(nul);
}

TEST(an_overlong_line_is_cut_and_marked_and_the_next_one_is_whole)
{
    static const size_t lengths[] = {BIRD_LINE_MAX - 1, BIRD_LINE_MAX, BIRD_LINE_MAX + 1,
                                     BIRD_LINE_MAX + 5, (size_t)BIRD_LINE_MAX * 3};
    static const char *const prefixes[] = {"1002-", " ", "+"};
    static char text[BIRD_LINE_MAX * 4];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t j = 0; j < sizeof prefixes / sizeof *prefixes; j++) {
            int head = snprintf(text, sizeof text, "1002-first\n%s", prefixes[j]);
            memset(text + head, 'x', lengths[i]);
            snprintf(text + head + lengths[i], sizeof text - (size_t)head - lengths[i],
                     "\n0000 end\n");
            struct lines *lines = read_text(text);
            assert_int_equal(lines->count, 3);
            assert_int_equal(lines->items[1].cut, lengths[i] > BIRD_LINE_MAX);
            assert_int_equal(lines->items[1].length,
                             lengths[i] > BIRD_LINE_MAX ? BIRD_LINE_MAX : lengths[i]);
            assert_string_equal(lines->items[2].text, "end");
            assert_false(lines->items[2].cut);
            forget(lines);
        }
    }
}

TEST(outcomes_follow_the_code_alone)
{
    static const struct {
        unsigned code;
        enum bird_outcome outcome;
    } table[] = {
        {0, BIRD_OK},
        {3, BIRD_OK},
        {4, BIRD_OK},
        {13, BIRD_OK},
        {20, BIRD_OK},
        {8000, BIRD_RUNTIME},
        {8001, BIRD_NO_ROUTE},
        {8002, BIRD_CONFIG_ERROR},
        {8003, BIRD_NO_PROTOCOL},
        {8004, BIRD_RUNTIME},
        {8007, BIRD_ACCESS_DENIED},
        {9000, BIRD_SYNTAX},
        {9001, BIRD_SYNTAX},
        {9002, BIRD_SYNTAX},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(bird_outcome(table[i].code), table[i].outcome);
    }
}

// A reconfiguration is done (3), or goes on in the background (4): it depends on the moment.
#define TAKEN 4

static void assert_last_codes(size_t version, const char *what, const unsigned *codes, size_t count)
{
    struct lines *lines = read_recording(version, what);
    size_t last = 0;
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->items[i].kind == BIRD_LAST) {
            unsigned code = lines->items[i].code;
            assert_true(last < count);
            assert_int_equal(code == BIRD_CODE_RECONFIGURED ? TAKEN : code, codes[last++]);
        }
    }
    assert_int_equal(last, count);
    forget(lines);
}

TEST(recorded_replies_end_with_the_codes_that_are_documented)
{
    static const unsigned switching[] = {1,    0,    0,    0,    0,  0,  0,    0,    0,
                                         8003, 9001, 9001, 9001, 13, 16, 8007, 8007, 13};
    static const unsigned configure[] = {1,  20,    TAKEN, TAKEN, 8002, 8002, TAKEN,
                                         18, TAKEN, 0,     TAKEN, 19,   19,   TAKEN};
    static const unsigned routes[] = {1,    0,    0,    0,    0,    0,    0, 0, 0,
                                      8001, 9001, 9001, 9001, 9001, 9001, 0, 14};
    static const unsigned protocols[] = {1, 0, 8003, 0, 0, 0, 0, 0, 0};
    for (size_t version = 0; version < VERSIONS; version++) {
        unsigned echo[] = {1, has_echo(version) ? 0 : BIRD_CODE_SYNTAX, 0, 0};
        assert_last_codes(version, "switching", switching, sizeof switching / sizeof *switching);
        assert_last_codes(version, "configure", configure, sizeof configure / sizeof *configure);
        assert_last_codes(version, "routes", routes, sizeof routes / sizeof *routes);
        assert_last_codes(version, "protocols", protocols, sizeof protocols / sizeof *protocols);
        assert_last_codes(version, "echo", echo, sizeof echo / sizeof *echo);
    }
}

TEST(what_waits_to_be_confirmed_has_a_row_of_its_own)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        struct lines *lines = read_recording(version, "configure");
        size_t rows = 0;
        for (size_t i = 0; i < lines->count; i++) {
            rows +=
                lines->items[i].kind == BIRD_LINE && lines->items[i].code == BIRD_CODE_UNCONFIRMED;
        }
        assert_int_equal(rows, 3); // two `configure timeout`, and `configure status`
        forget(lines);
    }
}
