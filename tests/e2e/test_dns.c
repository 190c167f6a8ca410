// The dns probe against the servers that a PoP runs: NSD and Knot DNS. (unbound: test_gate.)
#include "tests/lab/check.h"
#include "tests/lab/service.h"

#include <stdio.h>

#define ON_V4 "type = dns\ntarget = 192.0.2.53:53\n"
#define ON_V6 "type = dns\ntarget = [2001:db8::53]:53\n"

// More than 4096 bytes of TXT: never fits an answer over UDP.
#define LONG_TEXT                                                                                  \
    "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" "

static const struct lab_authority authority = {
    .listen = "192.0.2.53 2001:db8::53",
    .zone = "example.net",
    .records = "www A 192.0.2.80\nwww A 192.0.2.81\nwww AAAA 2001:db8::80\n"
               "pop TXT \"pop=fra1; region=eu\"\n"
               "alias CNAME www\n"
               "*.wild A 192.0.2.99\n"
               "long TXT " LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT
                   LONG_TEXT LONG_TEXT LONG_TEXT "\"the end\"\n",
    .nsid = "fra1",
    .workers = 2,
};

static struct lab_node *host(void)
{
    struct lab_node *node = lab_node("fra1");

    lab_address_add(node, "192.0.2.53/32 2001:db8::53/128");
    return node;
}

static void what_is_right_passes(struct lab_node *node)
{
    static const char *const right[] = {
        "qname = www.example.net\nanswer = 192.0.2.81\nmin_answers = 2\naa = yes\nad = no\n",
        "qname = www.example.net\nqtype = AAAA\nanswer_one_of = 2001:db8::80 2001:db8::81\n",
        "qname = pop.example.net\nqtype = TXT\nanswer_contains = region=eu\n",
        "qname = WwW.eXample.NET.\nnsid = fra1\n",
        "qname = id.server\nclass = CH\nqtype = TXT\nanswer_contains = fra1\n",
        "qname = nowhere.example.net\nrcode = NXDOMAIN\naa = yes\n",
        "qname = {random}.wild.example.net\nanswer = 192.0.2.99\n",
        "qname = {random}.example.net\nrcode = NOERROR NXDOMAIN\n",
        "qname = example.org\nrcode = REFUSED\n",
        "qname = www.example.net\nedns = no\n",
        "qname = www.example.net\ndnssec_ok = yes\nrecursion_desired = no\n",
        "qname = www.example.net\nprotocol = tcp\nanswer = 192.0.2.80\n",
        "qname = www.example.net\nprotocol = both\nanswer = 192.0.2.80\n",
    };
    char keys[512];

    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        snprintf(keys, sizeof keys, ON_V4 "%s", right[i]);
        LAB_CHECK(node, VERDICT_PASS, "ok", "", keys);
        snprintf(keys, sizeof keys, ON_V6 "%s", right[i]);
        LAB_CHECK(node, VERDICT_PASS, "ok", "", keys);
    }
}

static void what_is_wrong_fails_with_its_cause(struct lab_node *node)
{
    static const struct {
        const char *keys, *code, *cause;
    } wrong[] = {
        {"qname = www.example.net\nanswer = 192.0.2.1\n", "answer", "expected answer 192.0.2.1"},
        {"qname = www.example.net\nanswer_one_of = 192.0.2.1 192.0.2.2\n", "answer",
         "expected one of 192.0.2.1 192.0.2.2"},
        {"qname = pop.example.net\nqtype = TXT\nanswer_contains = region=us\n", "answer",
         "pop=fra1; region=eu"},
        {"qname = www.example.net\nmin_answers = 3\n", "answer", "2 answers, expected at least 3"},
        {"qname = www.example.net\nnsid = ams1\n", "nsid", "NSID \"fra1\", expected \"ams1\""},
        {"qname = www.example.net\naa = no\n", "flags", "the AA flag is set"},
        {"qname = www.example.net\nad = yes\n", "flags", "the AD flag is clear"},
        {"qname = nowhere.example.net\n", "rcode", "rcode NXDOMAIN, expected NOERROR"},
        {"qname = example.org\n", "rcode", "rcode REFUSED, expected NOERROR"},
        {"qname = www.example.net\nrcode = NXDOMAIN\n", "rcode", "expected NXDOMAIN"},
        {"qname = id.server\nclass = CH\nqtype = TXT\nanswer_contains = ams1\n", "answer", "fra1"},
    };
    char keys[512];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(keys, sizeof keys, ON_V4 "%s", wrong[i].keys);
        LAB_CHECK(node, VERDICT_FAIL, wrong[i].code, wrong[i].cause, keys);
    }
}

static void a_truncated_answer_is_asked_for_again_over_tcp(struct lab_node *node)
{
    LAB_CHECK(node, VERDICT_PASS, "ok", "TCP (UDP truncated)",
              ON_V4 "qname = long.example.net\nqtype = TXT\nanswer_contains = the end\n");
    LAB_CHECK(node, VERDICT_PASS, "ok", "TCP (UDP truncated)",
              ON_V6 "qname = long.example.net\nqtype = TXT\nedns = no\n");
}

static void nothing_listens_elsewhere(struct lab_node *node)
{
    LAB_CHECK(node, VERDICT_FAIL, "refused", "port unreachable",
              "type = dns\ntarget = 192.0.2.53:54\nqname = www.example.net\n");
    LAB_CHECK(node, VERDICT_FAIL, "refused", "connection refused",
              "type = dns\ntarget = 192.0.2.53:54\nqname = www.example.net\nprotocol = tcp\n");
}

static void everything(struct lab_node *node)
{
    what_is_right_passes(node);
    what_is_wrong_fails_with_its_cause(node);
    a_truncated_answer_is_asked_for_again_over_tcp(node);
    nothing_listens_elsewhere(node);
}

LAB_TEST(nsd_is_understood)
{
    struct lab_node *node = host();

    lab_nsd_start(node, &authority);
    everything(node);
}

LAB_TEST(knot_is_understood)
{
    struct lab_node *node = host();

    lab_knot_start(node, &authority);
    everything(node);
}
