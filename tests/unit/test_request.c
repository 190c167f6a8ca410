// Changes of intent are read strictly, and one verb does not undo another's work by the way.
#include "controller/api/request.h"

#include "tests/unit/core_fixture.h"

static struct fixture *fixture;
static struct request request;
static char error[ERROR_MAX];

static int set_up(void **state)
{
    (void)state;
    fixture = fixture_new("", FIXTURE_SERVICES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    request_clear(&request);
    fixture_free(fixture);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static unsigned parse(enum verb verb, const char *body)
{
    request_clear(&request);
    error[0] = '\0';
    return request_parse(fixture->core, verb, body, strlen(body), &request, error);
}

static void want(unsigned status, const char *says, enum verb verb, const char *body)
{
    unsigned got = parse(verb, body);
    if (got != status || (says != NULL && strstr(error, says) == NULL)) {
        fail_msg("%s %s: %u %s", verb_rows[verb].name, body, got, error);
    }
}

static void intent_is(size_t service, enum intent_kind kind)
{
    fixture->core->services[service].intent.kind = kind;
}

TEST(a_drain_carries_all_its_fields)
{
    want(200, NULL, VERB_DRAIN,
         "{\"services\":[\"token\",\"dns\",\"token\"],\"reason\":\"router upgrade\","
         "\"for\":\"10m\",\"grace\":\"1s\",\"force\":true}");
    assert_int_equal(request.change.verb, VERB_DRAIN);
    assert_int_equal(request.change.service_count, 2);
    assert_int_equal(request.change.services[0], 1);
    assert_int_equal(request.change.services[1], 0);
    assert_string_equal(request.change.reason, "router upgrade");
    assert_int_equal(request.change.for_ms, 600000);
    assert_true(request.change.has_grace);
    assert_int_equal(request.change.grace_ms, 1000);
    assert_true(request.change.force);
}

// "root (0): gone" would read as who asked, and why.
TEST(whom_somebody_says_to_be_can_t_be_taken_for_whom_the_kernel_knows)
{
    want(200, NULL, VERB_UNDRAIN, "{\"all\":true,\"by\":\"Zo\u00eb O'Neil/CHG-7\"}");
    assert_string_equal(request.claimed, "Zo\u00eb O'Neil/CHG-7");
    want(200, NULL, VERB_UNDRAIN, "{\"all\":true}");
    assert_string_equal(request.claimed, "");
    want(400, "without", VERB_UNDRAIN, "{\"all\":true,\"by\":\"root (0)\"}");
    want(400, "without", VERB_UNDRAIN, "{\"all\":true,\"by\":\"root: why\"}");
    want(400, "without", VERB_UNDRAIN, "{\"all\":true,\"by\":\"a, says b\"}");
    want(400, "control", VERB_UNDRAIN, "{\"all\":true,\"by\":\"a\\nb\"}");
    want(400, "shorter than 48 bytes", VERB_UNDRAIN,
         "{\"all\":true,\"by\":\"123456789012345678901234567890123456789012345678\"}");
}

TEST(now_is_no_grace_and_silence_is_the_services_own)
{
    want(200, NULL, VERB_DRAIN, "{\"all\":true,\"now\":true}");
    assert_true(request.change.has_grace);
    assert_int_equal(request.change.grace_ms, 0);
    want(200, NULL, VERB_DRAIN, "{\"all\":true}");
    assert_false(request.change.has_grace);
    assert_false(request.change.force);
    assert_int_equal(request.change.for_ms, 0);
    want(400, "exclude", VERB_DRAIN, "{\"all\":true,\"now\":true,\"grace\":\"1s\"}");
}

TEST(every_verb_is_read)
{
    static const char *const bodies[] = {
        "{\"services\":[\"dns\"]}", "{\"services\":[\"dns\"],\"for\":\"1m\",\"reason\":\"x\"}"};
    for (unsigned verb = VERB_DRAIN; verb < VERBS; verb++) {
        want(200, NULL, verb, bodies[verb == VERB_PIN]);
        assert_int_equal(request.change.verb, verb);
        assert_int_equal(request.change.service_count, 1);
    }
}

TEST(a_pin_needs_an_end_and_a_reason)
{
    want(400, "`for`", VERB_PIN, "{\"services\":[\"dns\"],\"reason\":\"x\"}");
    want(400, "`reason`", VERB_PIN, "{\"services\":[\"dns\"],\"for\":\"1m\"}");
    want(400, "`reason`", VERB_PIN, "{\"services\":[\"dns\"],\"for\":\"1m\",\"reason\":\"\"}");
    want(400, "longer than nothing", VERB_PIN,
         "{\"services\":[\"dns\"],\"for\":\"0s\",\"reason\":\"x\"}");
}

TEST(what_is_no_request_is_refused)
{
    want(400, "not JSON", VERB_DRAIN, "");
    want(400, "not JSON", VERB_DRAIN, "{\"all\":true");
    want(400, "not JSON", VERB_DRAIN, "{\"all\":true,\"all\":true}");
    want(400, "object", VERB_DRAIN, "[]");
    want(400, "did you mean `reason`", VERB_DRAIN, "{\"all\":true,\"raeson\":\"x\"}");
    want(400, "means nothing for undrain", VERB_UNDRAIN, "{\"all\":true,\"for\":\"1m\"}");
    want(400, "means nothing for isolate", VERB_ISOLATE, "{\"all\":true,\"force\":true}");
    want(400, "must be", VERB_DRAIN, "{\"all\":\"yes\"}");
    want(400, "must be", VERB_DRAIN, "{\"services\":\"dns\"}");
    want(400, "must be", VERB_DRAIN, "{\"services\":[1]}");
    want(400, "one of both", VERB_DRAIN, "{}");
    want(400, "one of both", VERB_DRAIN, "{\"services\":[]}");
    want(400, "one of both", VERB_DRAIN, "{\"services\":[\"dns\"],\"all\":true}");
    want(400, "must be a time", VERB_DRAIN, "{\"all\":true,\"for\":\"soon\"}");
    want(400, "must be a time", VERB_DRAIN, "{\"all\":true,\"grace\":\"-1s\"}");
    want(400, "at most", VERB_DRAIN, "{\"all\":true,\"grace\":\"8d\"}");
    char body[INTENT_REASON_MAX + 64];
    snprintf(body, sizeof body, "{\"all\":true,\"reason\":\"%0*d\"}", INTENT_REASON_MAX, 0);
    want(400, "shorter", VERB_DRAIN, body);
}

TEST(an_unknown_service_is_told_with_the_nearest)
{
    want(404, "did you mean `token`", VERB_DRAIN, "{\"services\":[\"dns\",\"tokn\"]}");
    want(404, "no service `x`", VERB_DRAIN, "{\"services\":[\"x\"]}");
    assert_null(request.services);
}

TEST(only_release_ends_an_isolation)
{
    intent_is(0, INTENT_ISOLATE);
    want(409, "only release", VERB_DRAIN, "{\"services\":[\"dns\"]}");
    want(409, "only release", VERB_UNDRAIN, "{\"services\":[\"dns\"]}");
    want(409, "only release", VERB_UNPIN, "{\"services\":[\"dns\"]}");
    want(409, "only release", VERB_PIN, "{\"services\":[\"dns\"],\"for\":\"1m\",\"reason\":\"x\"}");
    want(200, NULL, VERB_RELEASE, "{\"services\":[\"dns\"]}");
    want(200, NULL, VERB_ISOLATE, "{\"services\":[\"dns\"]}");
}

TEST(a_pin_may_be_drained_or_isolated_but_not_undrained)
{
    intent_is(0, INTENT_PIN);
    want(409, "only unpin", VERB_UNDRAIN, "{\"services\":[\"dns\"]}");
    want(409, "use unpin", VERB_RELEASE, "{\"services\":[\"dns\"]}");
    want(200, NULL, VERB_DRAIN, "{\"services\":[\"dns\"]}");
    want(200, NULL, VERB_ISOLATE, "{\"services\":[\"dns\"]}");
    want(200, NULL, VERB_UNPIN, "{\"services\":[\"dns\"]}");
}

TEST(a_drained_service_is_not_pinned_by_the_way)
{
    intent_is(0, INTENT_DRAIN);
    want(409, "undrain", VERB_PIN, "{\"services\":[\"dns\"],\"for\":\"1m\",\"reason\":\"x\"}");
    want(409, "use undrain", VERB_RELEASE, "{\"services\":[\"dns\"]}");
    want(409, "use undrain", VERB_UNPIN, "{\"services\":[\"dns\"]}");
    want(200, NULL, VERB_UNDRAIN, "{\"services\":[\"dns\"]}");
}

TEST(all_leaves_out_what_does_not_fit)
{
    intent_is(0, INTENT_ISOLATE);
    want(200, NULL, VERB_UNDRAIN, "{\"all\":true}");
    assert_int_equal(request.change.service_count, 1);
    assert_int_equal(request.change.services[0], 1);
    intent_is(1, INTENT_ISOLATE);
    want(200, NULL, VERB_UNDRAIN, "{\"all\":true}");
    assert_int_equal(request.change.service_count, 0);
}
