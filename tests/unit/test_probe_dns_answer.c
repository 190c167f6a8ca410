// The dns probe: what it asks, and what it expects of an answer.
#include "tests/unit/dns_server.h"

TEST_FIXTURE(set_up, tear_down);

// ---- A probe of id.server CH TXT and its server

static void assert_refused(const struct world *world, const char *error_part)
{
    char error[ERROR_MAX] = "";
    assert_int_equal(first_error(&world->fixture.conf, error), -1);
    assert_non_null(strstr(error, error_part));
}

// ---- What is expected of an answer

TEST(the_answer_must_be_the_one_expected)
{
    struct world *world = *state;
    set(world, "answer", "fra1");
    assert_passes(world, "NOERROR");
    set(world, "answer", "\"fra1\""); // as dig prints it
    assert_passes(world, "NOERROR");
    world->server.txt = "ams2";
    assert_fails(world, "answer", "expected answer \"fra1\", got \"ams2\"");
    world->server.txt = NULL;
    assert_fails(world, "answer", "got none");
}

TEST(the_answer_may_be_one_of_several)
{
    struct world *world = *state;
    set(world, "answer_one_of", "ams1 fra1");
    assert_passes(world, "NOERROR");
    world->server.txt = "fra";
    assert_fails(world, "answer", "expected one of ams1 fra1, got \"fra\"");
    world->server.txt = "fra11";
    assert_fails(world, "answer", "expected one of");
}

TEST(the_answer_may_have_to_contain_something)
{
    struct world *world = *state;
    set(world, "answer_contains", "ra1");
    assert_passes(world, "NOERROR");
    set(world, "answer_contains", "ra2");
    assert_fails(world, "answer", "expected an answer with \"ra2\" in it, got \"fra1\"");
}

TEST(too_few_answers_fail)
{
    struct world *world = *state;
    set(world, "min_answers", "1");
    assert_passes(world, "1 answer");
    set(world, "min_answers", "2");
    assert_fails(world, "answer", "1 answer, expected at least 2");
}

TEST(flags_must_be_as_expected)
{
    struct world *world = *state;
    set(world, "aa", "yes");
    assert_fails(world, "flags", "the AA flag is clear, expected it set");
    world->server.reply_flags = DNS_AA | DNS_AD;
    assert_passes(world, "NOERROR");
    set(world, "ad", "no");
    assert_fails(world, "flags", "the AD flag is set, expected it clear");
    assert_true(world->server.flags & DNS_AD); // asked for, RFC 6840
}

TEST(nsid_must_be_as_expected)
{
    struct world *world = *state;
    set(world, "nsid", "fra1");
    assert_fails(world, "nsid", "no NSID, expected \"fra1\"");
    assert_true(world->server.nsid_asked);
    world->server.nsid = "ams\x01";
    assert_fails(world, "nsid", "NSID \"ams.\", expected \"fra1\"");
    world->server.nsid = "fra1";
    assert_passes(world, "NOERROR");
}

// ---- What is asked

TEST(the_query_is_as_configured)
{
    struct world *world = *state;
    assert_passes(world, "");
    assert_true(world->server.edns);
    assert_false(world->server.dnssec_ok);
    assert_true(world->server.flags & DNS_RD);
    set(world, "dnssec_ok", "yes");
    set(world, "recursion_desired", "no");
    assert_passes(world, "");
    assert_true(world->server.dnssec_ok);
    assert_false(world->server.flags & DNS_RD);
    set(world, "dnssec_ok", "no");
    set(world, "edns", "no");
    assert_passes(world, "");
    assert_false(world->server.edns);
}

TEST(random_labels_are_new_each_time)
{
    struct world *world = *state;
    char first[DNS_NAME_TEXT_MAX];
    char second[DNS_NAME_TEXT_MAX];
    set(world, "qname", "x-{random}.example");
    assert_passes(world, "UDP query x-{random}.example CH TXT");
    dns_name_text(&world->server.last_name, first);
    assert_passes(world, "NOERROR");
    dns_name_text(&world->server.last_name, second);
    assert_int_equal(strlen(first), strlen("x-000000000000.example."));
    assert_int_not_equal(strcasecmp(first, second), 0);
}

TEST(a_source_that_is_not_ours_is_no_evidence)
{
    struct world *world = *state;
    set(world, "source", "192.0.2.77");
    assert_verdict(fixture_run(&world->fixture, 1), VERDICT_UNKNOWN, "local",
                   "address not available");
    set(world, "source", "127.0.0.9");
    assert_passes(world, "NOERROR");
}

TEST(no_descriptors_are_no_evidence)
{
    struct world *world = *state;
    static const char *const protocols[] = {"udp", "tcp", "both"};
    for (size_t i = 0; i < 3; i++) {
        set(world, "protocol", protocols[i]);
        struct rlimit before = take_descriptors();
        const struct verdict *verdict = fixture_run(&world->fixture, 2);
        give_descriptors_back(before);
        assert_verdict(verdict, VERDICT_UNKNOWN, "local", "too many open files");
    }
    assert_passes(world, "NOERROR");
}

TEST(letter_case_is_random)
{
    struct world *world = *state;
    char name[DNS_NAME_TEXT_MAX];
    bool upper = false;
    bool lower = false;
    set(world, "qname", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
    assert_passes(world, "NOERROR");
    dns_name_text(&world->server.last_name, name);
    for (const char *at = name; *at; at++) {
        upper |= *at >= 'A' && *at <= 'Z';
        lower |= *at >= 'a' && *at <= 'z';
    }
    assert_true(upper && lower); // once in 2^51 runs it isn't
}

TEST(wrong_options_are_refused)
{
    struct world *world = *state;
    char error[ERROR_MAX];
    const struct key *keys = world->fixture.conf.type->keys;
    assert_int_equal(key_set(key_find(keys, "qtype"), "AAAAA", world->fixture.conf.options, error),
                     -1);
    assert_int_equal(
        key_set(key_find(keys, "rcode"), "NOERROR NXDOMIAN", world->fixture.conf.options, error),
        -1);
    assert_non_null(strstr(error, "\"NXDOMIAN\" is not a response code"));
    set(world, "nsid", "fra1");
    set(world, "edns", "no");
    assert_refused(world, "nsid needs edns = yes");
    set(world, "edns", "yes");
    set(world, "qname", "a..b");
    assert_refused(world, "qname \"a..b\": a label is empty");
    set(world, "qname", "www.example");
    set(world, "qtype", "AAAA");
    set(world, "answer", "192.0.2.1");
    assert_refused(world, "expected answer \"192.0.2.1\" is not an IPv6 address");
    set(world, "answer", "2001:DB8:0::1");
    assert_int_equal(first_error(&world->fixture.conf, error), 0);
}
