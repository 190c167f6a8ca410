// Stagings in which nothing is announced, and nothing that popgated does fails: `popgate check` and
// status say so all the same. (test_check_stagings.c has the same of the core alone.)
#include "tests/lab/disk.h"
#include "tests/lab/pop.h"
#include "tests/lab/relay.h"

#include <stdio.h>
#include <string.h>

#define LONG_MS 40000 // what is told after 10 s and more

// One prefix, so that a command for it names one protocol.
#define DNS4                                                                                       \
    POP_PROBES "[service dns]\nprefixes = " POP_V4 "\nrequire = dns4\nlast_pop_guard = "           \
               "off\n" POP_TIMING

static bool is_announced(const struct pop *pop)
{
    return tap_has(pop->tap, POP_V4);
}

static bool output_has(const char *text)
{
    return strstr(pop_output, text) != NULL;
}

// Ends with that status, and says this.
static bool check_says(const struct pop *pop, int status, const char *text)
{
    return lab_popgate(pop->node, pop_output, LAB_ARGV("check")) == status && output_has(text);
}

static bool status_says(const struct pop *pop, const char *text)
{
    (void)lab_popgate(pop->node, pop_output, LAB_ARGV("status"));
    return output_has(text);
}

// check is critical because of this, counts nothing as announced, and the command shows it.
static void wait_till_critical(const struct pop *pop, const char *text)
{
    LAB_WAIT(check_says(pop, 2, text), "check to be critical", LONG_MS);
    assert_true(output_has("announced=0;"));
    assert_int_equal(lab_popgate(pop->node, pop_output, LAB_ARGV("check", "dns")), 2);
    LAB_WAIT(status_says(pop, text), "status to say so", LONG_MS); // a link is remade now and then
    assert_true(pop_says(pop, "services dns seen", "false"));
}

static void wait_till_ok(const struct pop *pop)
{
    LAB_WAIT(check_says(pop, 0, "announced=1;"), "check to be OK", LONG_MS);
    assert_true(is_announced(pop));
}

struct staging {
    struct pop pop;
    struct lab_relay *relay;
};

static struct staging staging_make(const struct pop_options *options)
{
    struct staging staging = {.pop = pop_make(options)};

    staging.relay = lab_relay_start(staging.pop.bird);
    pop_run(&staging.pop, DNS4);
    return staging;
}

LAB_TEST(behind_a_relay_that_changes_nothing_all_is_well)
{
    struct staging staging = staging_make(&(struct pop_options){0});

    wait_till_ok(&staging.pop);
    lab_kill(staging.pop.unbound);
    LAB_WAIT(!is_announced(&staging.pop), "the withdrawal", POP_WAIT_MS);
    assert_int_equal(lab_relay_met(staging.relay), 0);
}

LAB_TEST(check_is_critical_while_the_runtime_dir_hangs)
{
    static struct lab_disk disk;
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    if (!lab_disk_mount(pop.node, "run", &disk)) {
        skip();
    }
    pop_run(&pop, DNS4);
    lab_disk_thaw_at_clear(&disk);
    POP_WAIT_SAYS(&pop, "services dns target", "withdraw");
    POP_WAIT_SAYS(&pop, "include saved", "true");
    if (!lab_disk_freeze(&disk)) {
        skip();
    }
    lab_unbound_restart(pop.unbound);
    POP_WAIT_SAYS(&pop, "services dns target", "announce");
    wait_till_critical(&pop, "dns is to be announced, and was not seen to be for ");
    POP_COMMAND(&pop, 0, "status");
    assert_true(output_has("the disk of "));
    assert_false(is_announced(&pop)); // the file comes first
    lab_disk_thaw(&disk);
    wait_till_ok(&pop);
}

LAB_TEST(check_is_critical_when_bird_acknowledges_and_does_nothing)
{
    struct staging staging = staging_make(&(struct pop_options){.no_unbound = true});
    struct pop *pop = &staging.pop;

    POP_WAIT_SAYS(pop, "services dns target", "withdraw");
    lab_relay_rule(staging.relay, "enable ", LAB_RELAY_PRETENDS,
                   "0011-popgate_dns_v4: enabled\n0000 \n");
    lab_unbound_restart(pop->unbound);
    POP_WAIT_SAYS(pop, "services dns target", "announce");
    wait_till_critical(pop, "dns is to be announced, and was not seen to be for ");
    assert_true(lab_relay_met(staging.relay) > 0);
    assert_false(is_announced(pop));
    lab_relay_no_rule(staging.relay);
    wait_till_ok(pop);
}

// What was seen before counts no more, though orders are answered as ever.
static void withdrawn_unseen(struct staging *staging, const char *reason)
{
    struct pop *pop = &staging->pop;

    LAB_WAIT(lab_relay_met(staging->relay) > 0, "a question", POP_WAIT_MS);
    (void)lab_birdc(pop->bird, "disable popgate_dns_v4");
    LAB_WAIT(!is_announced(pop), "the withdrawal by hand", POP_WAIT_MS);
    wait_till_critical(pop, "BIRD has answered no question for ");
    wait_till_critical(pop, reason);
    assert_true(pop_says(pop, "bird link state", "up"));
    assert_false(is_announced(pop));
    lab_relay_no_rule(staging->relay);
    wait_till_ok(pop);
}

LAB_TEST(check_is_critical_when_questions_are_not_answered)
{
    struct staging staging = staging_make(&(struct pop_options){0});

    wait_till_ok(&staging.pop);
    lab_relay_rule(staging.relay, "show ", LAB_RELAY_WITHHOLDS, NULL);
    withdrawn_unseen(&staging, "has said nothing for ");
}

LAB_TEST(check_is_critical_when_show_protocols_is_answered_without_end)
{
    struct staging staging = staging_make(&(struct pop_options){0});

    wait_till_ok(&staging.pop);
    lab_relay_rule(staging.relay, "show protocols", LAB_RELAY_GOES_ON,
                   "1002-device1    Device     ---        up     2026-11-21    \n");
    withdrawn_unseen(&staging, "gives an answer that comes to no end");
}
