// What --wait waits for, and when it has come.
#include "controller/cli/waiting.h"

#include "tests/test.h"

#include <string.h>

static char message[ERROR_MAX];

static enum waited look(const struct options *options, const char *text)
{
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    message[0] = '\0';
    enum waited waited = waited_services(options, status, message);
    json_decref(status);
    return waited;
}

#define SERVICE(name, target, seen)                                                                \
    "{\"name\":\"" name "\",\"target\":\"" target "\",\"seen\":" seen "}"
#define STATUS(services) "{\"services\":[" services "]}"

static char *dns[] = {"dns"};
static const struct options one = {.services = dns, .service_count = 1};

TEST(it_has_come_when_all_that_are_concerned_are_seen)
{
    struct options all = {.values = {[FIELD_ALL] = ""}};
    const char *text =
        STATUS(SERVICE("dns", "depreference", "true") "," SERVICE("token", "announce", "false"));
    assert_int_equal(look(&one, text), WAITED_SEEN);
    assert_int_equal(look(&all, text), WAITED_NOT_YET);
    assert_int_equal(look(&one, STATUS(SERVICE("dns", "depreference", "false"))), WAITED_NOT_YET);
}

TEST(who_waits_for_withdrawn_is_not_content_with_depreferenced)
{
    struct options withdrawn = one;
    withdrawn.wait_for = WAIT_FOR_WITHDRAWN;
    assert_int_equal(look(&withdrawn, STATUS(SERVICE("dns", "depreference", "true"))),
                     WAITED_NOT_YET);
    assert_int_equal(look(&withdrawn, STATUS(SERVICE("dns", "withdraw", "false"))), WAITED_NOT_YET);
    assert_int_equal(look(&withdrawn, STATUS(SERVICE("dns", "withdraw", "true"))), WAITED_SEEN);
    struct options announced = one;
    announced.wait_for = WAIT_FOR_ANNOUNCED;
    assert_int_equal(look(&announced, STATUS(SERVICE("dns", "withdraw", "true"))), WAITED_NOT_YET);
    assert_int_equal(look(&announced, STATUS(SERVICE("dns", "announce", "true"))), WAITED_SEEN);
}

TEST(a_service_that_is_gone_meanwhile_was_not_seen)
{
    assert_int_equal(look(&one, STATUS(SERVICE("token", "announce", "true"))), WAITED_NEVER);
    assert_string_equal(message, "it was done, but there is no service `dns` any more");
    assert_int_equal(look(&one, "{}"), WAITED_NEVER);
}

// Else a drain that somebody ended at once would be done when the service is seen announced.
TEST(a_drain_or_isolation_that_was_ended_meanwhile_is_not_waited_for)
{
    struct options drain = one;
    drain.of = &verb_rows[VERB_DRAIN];
#define WITH(intent, target)                                                                       \
    STATUS("{\"name\":\"dns\",\"target\":\"" target                                                \
           "\",\"seen\":true,\"intent\":{\"kind\":\"" intent "\"}}")
    assert_int_equal(look(&drain, WITH("drain", "depreference")), WAITED_SEEN);
    assert_int_equal(look(&drain, WITH("isolate", "withdraw")), WAITED_SEEN); // it took over
    assert_int_equal(look(&drain, WITH("auto", "announce")), WAITED_NEVER);
    assert_non_null(strstr(message, "dns is not drained any more"));
    drain.wait_for = WAIT_FOR_WITHDRAWN;
    assert_int_equal(look(&drain, WITH("drain", "depreference")), WAITED_NOT_YET);
    assert_int_equal(look(&drain, WITH("auto", "announce")), WAITED_NEVER);
    struct options isolate = one;
    isolate.of = &verb_rows[VERB_ISOLATE];
    assert_int_equal(look(&isolate, WITH("auto", "announce")), WAITED_NEVER);
    struct options undrain = one;
    undrain.of = &verb_rows[VERB_UNDRAIN];
    assert_int_equal(look(&undrain, WITH("auto", "announce")), WAITED_SEEN);
}

static enum waited include(const char *state, const char *saved, const char *services)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"include\":{\"state\":\"%s\",\"saved\":%s,\"message\":\"line 3\","
             "\"line\":\"include it;\"},\"services\":[%s]}",
             state, saved, services);
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    message[0] = '\0';
    enum waited waited = waited_include(status, message);
    json_decref(status);
    return waited;
}

TEST(a_file_is_taken_when_it_is_saved_and_loaded)
{
    assert_int_equal(include("loaded", "true", "{}"), WAITED_SEEN);
    assert_int_equal(include("loaded", "false", "{}"), WAITED_NOT_YET);
    assert_int_equal(include("checking", "true", "{}"), WAITED_NOT_YET);
    assert_int_equal(include("not-included", "true", ""), WAITED_SEEN); // nobody needs it
}

TEST(what_does_not_come_by_itself_is_not_waited_for)
{
    static const struct {
        const char *state, *says;
    } states[] = {{"refused", "BIRD refuses the include file: line 3"},
                  {"by-hand", "run birdc configure"},
                  {"unconfirmed", "configure timeout was not confirmed"},
                  {"not-included", "put include it; into bird.conf"}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        assert_int_equal(include(states[i].state, "true", "{}"), WAITED_NEVER);
        assert_non_null(strstr(message, states[i].says));
    }
}
