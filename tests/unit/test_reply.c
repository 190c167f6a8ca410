// The reply parser reads what BIRD really says: sessions of 2.0.12, 2.19.2 and 3.3.2, as
// `make recordings` (tests/lab/record) put them down.

#include "birdctl/reply.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX     512
#define RECORDING_MAX 65536

struct seen {
    enum bird_line_kind kind;
    unsigned code;
    bool cut;
    size_t length;
    char *text;
};

struct lines {
    struct seen items[LINES_MAX];
    size_t count;
};

static void keep_line(void *arg, const struct bird_line *line)
{
    struct lines *lines = arg;
    assert_true(lines->count < LINES_MAX);
    assert_int_equal(strlen(line->text),
                     line->kind == BIRD_GARBLED ? strlen(line->text) : line->length);
    struct seen *seen = &lines->items[lines->count++];
    *seen = (struct seen){line->kind, line->code, line->cut, line->length, strdup(line->text)};
    assert_non_null(seen->text);
}

static void forget(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->items[i].text);
    }
    free(lines);
}

static struct bird_line line_at(const struct lines *lines, size_t i)
{
    assert_true(i < lines->count);
    const struct seen *seen = &lines->items[i];
    return (struct bird_line){seen->kind, seen->code, seen->cut, seen->text, seen->length};
}

// Feeds bytes in pieces; step() says how long the next one is.
static struct lines *read_in_pieces(const char *bytes, size_t length, size_t (*step)(void))
{
    struct bird_reader *reader = calloc(1, sizeof *reader);
    struct lines *lines = calloc(1, sizeof *lines);
    assert_non_null(reader);
    assert_non_null(lines);
    while (length > 0) {
        size_t wanted = step();
        size_t piece = wanted < length ? wanted : length;
        bird_reader_feed(reader, bytes, piece, keep_line, lines);
        bytes += piece;
        length -= piece;
    }
    free(reader);
    return lines;
}

static size_t whole(void)
{
    return SIZE_MAX;
}

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

static struct lines *read_text(const char *text)
{
    return read_in_pieces(text, strlen(text), whole);
}

static const char *const versions[] = {"2.0.12", "2.19.2", "3.3.2"};
#define VERSIONS (sizeof versions / sizeof *versions)

static size_t load(size_t version, const char *what, char *out)
{
    char path[256];
    snprintf(path, sizeof path, "tests/unit/recordings/bird-%s-%s.txt", versions[version], what);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("open %s (run the tests from the top of the source): failed", path);
        return 0;
    }
    size_t length = fread(out, 1, RECORDING_MAX, file);
    fclose(file);
    assert_in_range(length, 1, RECORDING_MAX - 1);
    return length;
}

static struct lines *read_recording(size_t version, const char *what)
{
    static char bytes[RECORDING_MAX];
    return read_in_pieces(bytes, load(version, what, bytes), whole);
}

static bool has_echo(size_t version)
{
    return versions[version][0] == '2';
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

TEST(switching_names_each_protocol_and_what_became_of_it)
{
    static const struct {
        unsigned code;
        const char *text;
    } expected[] = {
        {BIRD_CODE_DISABLED, "popgate_dns_v4: disabled"},
        {BIRD_CODE_ALREADY_DISABLED, "popgate_dns_v4: already disabled"},
        {BIRD_CODE_ENABLED, "popgate_dns_v4_drain: enabled"},
        {BIRD_CODE_ALREADY_ENABLED, "popgate_dns_v4_drain: already enabled"},
        {BIRD_CODE_ENABLED, "popgate_dns_v4: enabled"},
        {BIRD_CODE_DISABLED, "popgate_dns_v4_drain: disabled"},
        {BIRD_CODE_DISABLED, "popgate_dns_v4: disabled"},
        {BIRD_CODE_ALREADY_DISABLED, "popgate_dns_v4_drain: already disabled"},
        {BIRD_CODE_ENABLED, "popgate_dns_v4: enabled"},
    };
    for (size_t version = 0; version < VERSIONS; version++) {
        struct lines *lines = read_recording(version, "switching");
        size_t rows = 0;
        for (size_t i = 0; i < lines->count && rows < sizeof expected / sizeof *expected; i++) {
            if (lines->items[i].kind == BIRD_LINE) {
                assert_int_equal(lines->items[i].code, expected[rows].code);
                assert_string_equal(lines->items[i].text, expected[rows].text);
                rows++;
            }
        }
        assert_int_equal(rows, sizeof expected / sizeof *expected);
        forget(lines);
    }
}

TEST(a_name_without_quotes_that_bird_lacks_is_no_protocol_and_no_refusal)
{
    static const enum bird_outcome ends[] = {BIRD_NO_PROTOCOL, BIRD_SYNTAX, BIRD_SYNTAX};
    for (size_t version = 0; version < VERSIONS; version++) {
        struct lines *lines = read_recording(version, "switching");
        for (size_t i = 0, found = 0; i < lines->count; i++) {
            struct bird_line line = line_at(lines, i);
            if (line.code == BIRD_CODE_SYNTAX && found < sizeof ends / sizeof *ends) {
                assert_int_equal(bird_switch_outcome(9001, line.text), ends[found++]);
            }
        }
        forget(lines);
    }
    assert_int_equal(bird_switch_outcome(9001, "Protocol name required"), BIRD_NO_PROTOCOL);
    assert_int_equal(bird_switch_outcome(9002, "popgate_a_v4 does not exist"), BIRD_NO_PROTOCOL);
}

// The nth protocol row of a recording that has this name.
static struct bird_protocol protocol_row(size_t version, const char *what, const char *name,
                                         size_t nth)
{
    struct lines *lines = read_recording(version, what);
    struct bird_protocol row = {0};
    bool found = false;
    for (size_t i = 0; i < lines->count && !found; i++) {
        struct bird_line line = line_at(lines, i);
        found = bird_parse_protocol(&line, &row) && strcmp(row.name, name) == 0 && nth-- == 0;
    }
    forget(lines);
    if (!found) {
        fail_msg("%s of %s: no such row of %s", what, versions[version], name);
    }
    return row;
}

TEST(protocol_rows_are_read_also_when_the_name_breaks_the_columns)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        struct bird_protocol row = protocol_row(version, "protocols", "popgate_dns_v4", 0);
        assert_string_equal(row.type, "Static");
        assert_string_equal(row.table, "popgate4");
        assert_true(row.up);
        assert_false(row.established);
        assert_string_equal(row.info, "");

        row = protocol_row(version, "protocols", "popgate_dns_v4_drain", 0);
        assert_false(row.up);

        row = protocol_row(version, "protocols", "popgate4_pipe", 0);
        assert_string_equal(row.type, "Pipe");
        assert_string_equal(row.table, "---");
        assert_string_equal(row.info, "master4 <=> popgate4");

        row = protocol_row(version, "protocols", "upstream_a", 0);
        assert_true(row.up);
        assert_true(row.established);
        assert_string_equal(row.info, "Established");

        row = protocol_row(version, "protocols", "upstream_with_a_long_name", 0);
        assert_string_equal(row.type, "BGP");
        assert_false(row.up);
        assert_false(row.established);
        assert_string_equal(row.info, "Active        Socket: Connection refused");

        row = protocol_row(version, "protocols", "upstream_off", 0);
        assert_false(row.up);
        assert_string_equal(row.info, "");
    }
}

TEST(protocol_rows_are_read_in_every_time_format)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        for (size_t nth = 0; nth < 3; nth++) { // iso long, "Nov 21 00:42", the usual iso short
            struct bird_protocol up = protocol_row(version, "timeformat", "upstream_a", nth);
            assert_true(up.established);
            assert_string_equal(up.info, "Established");
            struct bird_protocol down =
                protocol_row(version, "timeformat", "upstream_with_a_long_name", nth);
            assert_false(down.up);
            assert_string_equal(down.info, "Active        Socket: Connection refused");
        }
    }
}

static struct bird_line row_of(unsigned code, const char *text)
{
    return (struct bird_line){BIRD_LINE, code, false, text, strlen(text)};
}

TEST(a_session_is_established_only_if_it_is_bgp_and_up_and_says_so)
{
    static const struct {
        const char *text;
        bool established;
    } table[] = {
        {"a BGP --- up 00:22:45.151 Established", true},
        {"a          BGP        ---        up     Nov  1 00:22  Established   ", true},
        {"a          BGP        ---        up                   Established   ", true},
        {"a          BGP        ---        up     00:22:45.151  Active", false},
        {"a          BGP        ---        start  00:22:45.151  Established", false},
        {"a          BGP        ---        up     00:22:45.151  NotEstablished", false},
        {"a          BGP        ---        up     00:22:45.151  Established2", false},
        {"a          OSPF       ---        up     00:22:45.151  Established", false},
        {"Established BGP       ---        up     00:22:45.151  ", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct bird_line line = row_of(1002, table[i].text);
        struct bird_protocol row;
        assert_true(bird_parse_protocol(&line, &row));
        assert_int_equal(row.established, table[i].established);
    }
}

TEST(rows_that_are_no_protocols_are_refused)
{
    struct bird_protocol row;
    struct bird_line heading = row_of(2002, "Name Proto Table State Since Info");
    struct bird_line detail = row_of(1006, "a BGP --- up 00:22:45.151 Established");
    struct bird_line partial = row_of(1002, "a BGP ---");
    struct bird_line empty = row_of(1002, "");
    struct bird_line echo = row_of(1002, "a BGP --- up 00:22:45.151 Established");
    echo.kind = BIRD_ECHO;
    assert_false(bird_parse_protocol(&heading, &row));
    assert_false(bird_parse_protocol(&detail, &row));
    assert_false(bird_parse_protocol(&partial, &row));
    assert_false(bird_parse_protocol(&empty, &row));
    assert_false(bird_parse_protocol(&echo, &row));
}

TEST(a_name_is_taken_whole_or_not_at_all)
{
    char text[256];
    char name[80];
    struct bird_protocol row;
    memset(name, 'n', sizeof name);
    name[64] = '\0'; // the longest that BIRD has
    snprintf(text, sizeof text, "%s BGP --- up 00:22:45.151  Established", name);
    struct bird_line line = row_of(1002, text);
    assert_true(bird_parse_protocol(&line, &row));
    assert_string_equal(row.name, name);

    name[64] = 'n';
    name[65] = '\0';
    snprintf(text, sizeof text, "%s BGP --- up 00:22:45.151  Established", name);
    line = row_of(1002, text);
    assert_false(bird_parse_protocol(&line, &row));
}

TEST(descriptions_are_read_under_either_width_of_label)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        struct lines *lines = read_recording(version, "protocols");
        size_t ours = 0, others = 0;
        for (size_t i = 0; i < lines->count; i++) {
            struct bird_line line = line_at(lines, i);
            char text[64];
            if (bird_parse_description(&line, text, sizeof text)) {
                bool is_ours = strncmp(text, "popgate ", 8) == 0 && strlen(text) == 8 + 16;
                ours += is_ours;
                others += !is_ours && strcmp(text, "first upstream") == 0;
            }
        }
        assert_int_equal(ours, 4); // a service and its twin, two pipes
        assert_int_equal(others, 1);
        forget(lines);
    }
    char small[8];
    struct bird_line line = row_of(1006, "  Description:        popgate 0123456789abcdef");
    assert_true(bird_parse_description(&line, small, sizeof small));
    assert_string_equal(small, "popgate");
}

// Of the nth reply of a recording, the greeting being 0: "popgate_dns_v4* upstream_a", a star for
// the best.
static void routes_of_reply(size_t version, size_t nth, char out[256])
{
    struct lines *lines = read_recording(version, "routes");
    size_t reply = 0, length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < lines->count && reply <= nth; i++) {
        struct bird_line line = line_at(lines, i);
        struct bird_route route;
        if (reply == nth && bird_parse_route(&line, &route)) {
            length += (size_t)snprintf(out + length, 256 - length, "%s%s%s", length > 0 ? " " : "",
                                       route.protocol, route.best ? "*" : "");
            assert_true(length < 256);
        }
        reply += line.kind == BIRD_LAST;
    }
    forget(lines);
}

TEST(routes_are_read_with_their_protocol_and_whether_they_are_best)
{
    static const char *const replies[] = {
        "popgate_dns_v4* upstream_a", // of our prefix
        "popgate_dns_v4* upstream_a", // the same with all
        "popgate_dns_v4*",            // in popgate4
        "popgate_dns_v4*",            // export to the session
        "popgate_dns_v4*",            // the same with all
        "popgate_dns_v4*",            // exported to it
        "",                           // what it gave us
        "popgate_dns_v6*",            // IPv6
        "",                           // not in the table
        "",                           // to a session that is not up, and to two that are off
        "",
        "",
        "", // to none of our sessions
        "", // of no prefix
    };
    char routes[256];
    for (size_t version = 0; version < VERSIONS; version++) {
        for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
            routes_of_reply(version, 1 + i, routes);
            assert_string_equal(routes, replies[i]);
        }
        // The whole of both tables, in an order of BIRD's own.
        routes_of_reply(version, 1 + sizeof replies / sizeof *replies, routes);
        assert_int_equal(strlen(routes), strlen("elsewhere* popgate_dns_v4* upstream_a upstream_a* "
                                                "popgate_dns_v6*"));
    }
}

TEST(a_route_row_may_have_any_time_and_a_failed_kernel_sync)
{
    struct bird_route route;
    struct bird_line line =
        row_of(1007, "198.51.100.0/24      unreachable [upstream_a 2026-11-21 00:42:05 "
                     "from 10.0.0.2] * (100) [AS64513i]");
    assert_true(bird_parse_route(&line, &route));
    assert_string_equal(route.protocol, "upstream_a");
    assert_true(route.best);
    assert_false(route.unicast);

    line = row_of(1007, "192.0.2.53/32        blackhole [popgate_dns_v4 00:42:01.801] ! (260)");
    assert_true(bird_parse_route(&line, &route));
    assert_true(route.best);

    // The star of a later bracket is not ours.
    line = row_of(1007, "192.0.2.53/32        unicast [a 00:42:01.801] (100) [x] * (1)");
    assert_true(bird_parse_route(&line, &route));
    assert_true(route.unicast);
    assert_false(route.best);
}

// Of the recording of routes: its questions about exports, by the numbers of their replies.
TEST(a_question_about_exports_is_answered_by_routes_or_none_and_not_by_an_error)
{
    static const struct {
        size_t reply; // the greeting is 0
        bool tells;
    } cases[] = {{4, true},  {7, true},  {9, true},   {10, true},
                 {11, true}, {12, true}, {13, false}, {14, false}};
    for (size_t version = 0; version < VERSIONS; version++) {
        struct lines *lines = read_recording(version, "routes");
        size_t reply = 0;
        for (size_t i = 0; i < lines->count; i++) {
            struct bird_line line = line_at(lines, i);
            for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
                if (line.kind == BIRD_LAST && cases[k].reply == reply) {
                    assert_int_equal(bird_tells_export(line.code, line.text), cases[k].tells);
                }
            }
            reply += line.kind == BIRD_LAST;
        }
        forget(lines);
    }
    assert_false(bird_tells_export(BIRD_CODE_ACCESS_DENIED, "Access denied"));
}

// All that a recording says of the session of that name.
static struct bird_bgp_reader details(size_t version, const char *what, const char *name)
{
    struct lines *lines = read_recording(version, what);
    struct bird_bgp_reader reader = {.found = false};
    snprintf(reader.name, sizeof reader.name, "%s", name);
    for (size_t i = 0; i < lines->count; i++) {
        struct bird_line line = line_at(lines, i);
        bird_bgp_line(&reader, &line);
    }
    forget(lines);
    return reader;
}

TEST(what_a_session_agreed_on_is_read)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        struct bird_bgp_reader reader = details(version, "protocols", "upstream_a");
        const struct bird_bgp *bgp = &reader.bgp;
        assert_true(reader.found && bgp->open && !bgp->range && bgp->ipv4 && bgp->ipv6);
        assert_string_equal(bgp->neighbor, "10.0.1.2");
        assert_int_equal(bgp->neighbor_as, 64513);
        assert_int_equal(bgp->local_as, 64512);
        assert_int_equal(bgp->hold_s, 240);
        assert_int_not_equal(bgp->exported, 0);
        assert_true(bgp->ours.graceful && bgp->ours.long_lived);
        assert_true(bgp->theirs.graceful && bgp->theirs.long_lived);
        assert_int_equal(bgp->ours.restart_s, 120);
        assert_int_equal(bgp->ours.stale_s, 3600);
        assert_int_equal(bgp->theirs.restart_s, 120);
        assert_int_equal(bgp->theirs.stale_s, 3600);
    }
}

TEST(of_a_session_that_is_down_only_its_configuration_is_known)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        struct bird_bgp_reader reader = details(version, "protocols", "upstream_with_a_long_name");
        assert_true(reader.found && !reader.bgp.open && reader.bgp.ipv4 && !reader.bgp.ipv6);
        assert_int_equal(reader.bgp.neighbor_as, 64514);
        assert_int_equal(reader.bgp.ours.restart_s, 0);
        reader = details(version, "protocols", "popgate4_pipe");
        assert_false(reader.found);
        reader = details(version, "protocols", "nosuch");
        assert_false(reader.found);
    }
}

TEST(an_internal_session_and_a_range_of_neighbors_are_told_apart)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        struct bird_bgp_reader reader = details(version, "sessions", "core1");
        assert_true(reader.bgp.open && reader.bgp.ipv4 && !reader.bgp.ipv6);
        assert_int_equal(reader.bgp.neighbor_as, reader.bgp.local_as);
        assert_int_equal(reader.bgp.hold_s, 9);
        reader = details(version, "sessions", "many");
        assert_true(reader.found && reader.bgp.range && !reader.bgp.open);
        reader = details(version, "sessions", "leaf1");
        assert_true(reader.found && !reader.bgp.range && reader.bgp.open);
        assert_string_equal(reader.bgp.neighbor, "10.0.3.130");
        assert_true(reader.bgp.ipv4);
        assert_false(reader.bgp.ipv6); // the neighbor has none
    }
}

TEST(a_description_that_reads_like_a_label_is_none)
{
    static const char *const texts[] = {"  Description:    Neighbor range: 10.0.0.0/8",
                                        "  BGP state:          Established",
                                        "    Neighbor address: fe80::1%eth0 onlink"};
    struct bird_bgp_reader reader = {.name = "a"};
    struct bird_line row = {.kind = BIRD_LINE,
                            .code = BIRD_CODE_PROTOCOL,
                            .text = "a BGP --- up 10:00:00.000  Established"};
    bird_bgp_line(&reader, &row);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bird_line line = {
            .kind = BIRD_LINE, .code = BIRD_CODE_PROTOCOL_DETAIL, .text = texts[i]};
        bird_bgp_line(&reader, &line);
    }
    assert_false(reader.bgp.range);
    assert_string_equal(reader.bgp.neighbor, "fe80::1%eth0");
}

TEST(bfd_rows_are_read_and_titles_are_not)
{
    for (size_t version = 0; version < VERSIONS; version++) {
        struct lines *lines = read_recording(version, "protocols");
        size_t rows = 0;
        for (size_t i = 0; i < lines->count; i++) {
            struct bird_bfd bfd;
            struct bird_line line = line_at(lines, i);
            if (bird_parse_bfd(&line, &bfd)) {
                assert_string_equal(bfd.address, "10.0.1.2");
                assert_string_equal(bfd.interface, "upstream");
                assert_string_equal(bfd.state, "Up");
                rows++;
            }
        }
        assert_int_equal(rows, 1);
        forget(lines);
    }
}

TEST(rows_without_a_route_are_refused)
{
    static const char *const texts[] = {
        "Table master4:",
        "",
        "\tvia 10.0.0.2 on eth0 [x y]",
        "\tdev lo",
        "8 of 8 routes for 7 networks",
        "192.0.2.53/32 blackhole [",
        "192.0.2.53/32 blackhole []",
        "192.0.2.53/32 blackhole [ a]",
        "192.0.2.53/32 blackhole [a",
        "192.0.2.53/32 blackhole [name] *",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bird_line line = row_of(1007, texts[i]);
        struct bird_route route;
        assert_false(bird_parse_route(&line, &route));
    }
}

TEST(the_greeting_tells_the_version)
{
    static const struct {
        const char *text;
        struct bird_version version;
    } table[] = {
        {"BIRD 2.0.12 ready.", {2, 0, 12}},
        {"BIRD 2.15 ready.", {2, 15, 0}},
        {"BIRD 3.3.2 ready.", {3, 3, 2}},
        {"BIRD v3.0-alpha2 ready.", {3, 0, 0}},
    };
    struct bird_version version;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct bird_line line = row_of(1, table[i].text);
        assert_false(bird_parse_greeting(&line, &version));
        line.kind = BIRD_LAST;
        assert_true(bird_parse_greeting(&line, &version));
        assert_int_equal(version.major, table[i].version.major);
        assert_int_equal(version.minor, table[i].version.minor);
        assert_int_equal(version.patch, table[i].version.patch);
    }
    static const char *const others[] = {"FRR 2.0.12 ready.", "BIRD ready.", "BIRD 2.x",
                                         "BIRD 99999.1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct bird_line line = row_of(1, others[i]);
        line.kind = BIRD_LAST;
        assert_false(bird_parse_greeting(&line, &version));
    }
}
