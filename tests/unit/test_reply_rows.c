// What the lines of BIRD's replies say: protocols, sessions, routes.
#include "tests/unit/reply_fixture.h"

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
