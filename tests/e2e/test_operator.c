// What operators do: drain and its kin, who may, when it is refused, and what the command tells.
#include "tests/lab/pop.h"

#include <jansson.h>
#include <string.h>

#define MS UINT64_C(1000000) // in ns

static struct pop announced_pop(const struct pop_options *options, const char *sections)
{
    struct pop pop = pop_make(options);

    pop_run(&pop, sections);
    POP_WAIT_ANNOUNCED(&pop);
    return pop;
}

static struct pop usual_pop(void)
{
    return announced_pop(&(struct pop_options){0}, POP_USUAL);
}

static bool output_has(const char *text)
{
    return strstr(pop_output, text) != NULL;
}

// ---- Drain

// Promised: one UPDATE with the community, no withdrawal before grace is over.
LAB_TEST(a_drain_is_one_update_and_after_grace_one_withdrawal)
{
    struct pop pop = usual_pop();

    size_t mark = pop_mark(&pop);
    uint64_t began_ns = lab_now_ns();
    POP_COMMAND(&pop, 0, "drain", "dns", "--reason", "new kernel");
    POP_WAIT_WITHDRAWN(&pop);
    assert_true(tap_withdrawn_at_ns(pop.tap, POP_V4) - began_ns >= POP_GRACE_MS * MS);
    assert_true(tap_withdrawn_at_ns(pop.tap, POP_V6) - began_ns >= POP_GRACE_MS * MS);
    POP_HISTORY(&pop, mark, "GW");
    assert_true(pop_says(&pop, "services dns intent kind", "drain"));
    assert_true(pop_says(&pop, "services dns intent reason", "new kernel"));
    assert_true(pop_says_part(&pop, "services dns intent by", "root"));

    POP_COMMAND(&pop, 0, "undrain", "dns");
    POP_WAIT_ANNOUNCED(&pop);
    POP_HISTORY(&pop, mark, "GWA");
}

LAB_TEST(an_undrain_within_grace_leaves_no_gap)
{
    struct pop pop = usual_pop();

    POP_COMMAND(&pop, 0, "drain", "dns", "--grace", "1h");
    POP_WAIT_DRAINING(&pop);
    POP_COMMAND(&pop, 0, "undrain", "dns", "--wait");
    POP_COMMAND(&pop, 0, "undrain", "dns");
    assert_true(output_has("not drained"));
    POP_HISTORY(&pop, 0, "AGA");
}

LAB_TEST(a_drain_now_withdraws_without_grace)
{
    struct pop pop = usual_pop();

    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    POP_HISTORY(&pop, 0, "AW");
}

LAB_TEST(a_drain_for_a_time_ends_by_itself)
{
    struct pop pop = usual_pop();

    uint64_t began_ns = lab_now_ns();
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--for", "500ms");
    POP_WAIT_HISTORY(&pop, 0, "AWA");
    assert_true(tap_announced_at_ns(pop.tap, POP_V4) - began_ns >= 500 * MS);
    POP_WAIT_SAYS(&pop, "services dns intent kind", "auto");
    POP_HISTORY(&pop, 0, "AWA");
}

LAB_TEST(a_countdown_tells_what_will_happen_by_itself)
{
    struct pop pop = usual_pop();

    POP_COMMAND(&pop, 0, "drain", "dns", "--grace", "1h", "--for", "2h");
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "withdrawn in 59m"));
    assert_non_null(strstr(pop_output, "ends in 1h59m"));
    POP_COMMAND(&pop, 0, "explain", "dns");
    assert_non_null(strstr(pop_output, "ends in 1h59m"));
    assert_non_null(strstr(pop_output, "withdrawn in 59m"));
}

LAB_TEST(a_drained_service_that_dies_and_returns_stays_drained)
{
    struct pop pop = usual_pop();

    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    lab_kill(pop.unbound);
    POP_WAIT_SAYS(&pop, "probes dns4 health", "down");
    lab_unbound_restart(pop.unbound);
    POP_WAIT_SAYS(&pop, "services dns allowed", "announce");
    assert_true(pop_says(&pop, "services dns target", "withdraw"));
    POP_HISTORY(&pop, 0, "AW");
}

// ---- The guard

#define GUARDED                                                                                    \
    POP_PROBES "[service dns]\nprefixes = " POP_V4 " " POP_V6 "\nrequire = dns4 dns6\n" POP_TIMING

LAB_TEST(the_last_pop_is_not_drained_unless_forced)
{
    struct pop pop = announced_pop(&(struct pop_options){.another_pop = true}, GUARDED);

    POP_COMMAND(&pop, 4, "drain", "dns");
    assert_true(output_has(POP_V4));
    assert_true(output_has("--force"));
    assert_true(pop_says(&pop, "services dns intent kind", "auto"));
    POP_HISTORY(&pop, 0, "A");

    tap_announce(pop.another_pop, POP_V4, NULL); // one of two prefixes is not enough
    LAB_WAIT(lab_bird_imported(pop.bird, "another_pop") == 1, "the other PoP's path", POP_WAIT_MS);
    POP_COMMAND(&pop, 4, "drain", "dns");
    assert_true(output_has(POP_V6));

    POP_COMMAND(&pop, 0, "drain", "dns", "--force", "--now", "--wait");
    POP_HISTORY(&pop, 0, "AW");
}

LAB_TEST(a_drain_passes_while_another_pop_announces_the_prefixes)
{
    struct pop pop = announced_pop(&(struct pop_options){.another_pop = true}, GUARDED);

    tap_announce(pop.another_pop, POP_V4, NULL);
    tap_announce(pop.another_pop, POP_V6, NULL);
    LAB_WAIT(lab_bird_imported(pop.bird, "another_pop") == 2, "the other PoP's paths", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    POP_HISTORY(&pop, 0, "AW");
}

// The last two must not go together.
LAB_TEST(a_pop_that_is_leaving_too_is_no_witness)
{
    struct pop pop = announced_pop(&(struct pop_options){.another_pop = true}, GUARDED);
    const struct bgp_attributes leaving = {.communities = {{65535, 0}}, .community_count = 1};

    tap_announce(pop.another_pop, POP_V4, &leaving);
    tap_announce(pop.another_pop, POP_V6, NULL);
    LAB_WAIT(lab_bird_imported(pop.bird, "another_pop") == 2, "the other PoP's paths", POP_WAIT_MS);
    POP_COMMAND(&pop, 4, "drain", "dns");
    assert_true(output_has(POP_V4));
    assert_true(output_has("is leaving"));
    POP_HISTORY(&pop, 0, "A");

    tap_announce(pop.another_pop, POP_V4, NULL);
    LAB_WAIT(strstr(lab_birdc(pop.bird, "show route " POP_V4 " all"), "65535") == NULL,
             "the other PoP to be back", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    POP_HISTORY(&pop, 0, "AW");
}

// A compromised PoP is off the air whoever else is there.
LAB_TEST(an_isolation_asks_nobody_and_ends_by_release_only)
{
    struct pop pop = announced_pop(&(struct pop_options){0}, GUARDED);

    POP_COMMAND(&pop, 0, "isolate", "dns", "--reason", "break-in", "--wait");
    POP_COMMAND(&pop, 4, "undrain", "dns");
    POP_COMMAND(&pop, 4, "drain", "dns");
    POP_COMMAND(&pop, 4, "pin", "dns", "--for", "1h", "--reason", "no");
    assert_true(pop_says(&pop, "services dns intent kind", "isolate"));
    POP_HISTORY(&pop, 0, "AW");
    POP_COMMAND(&pop, 0, "release", "dns", "--wait");
    POP_WAIT_ANNOUNCED(&pop);
    POP_HISTORY(&pop, 0, "AWA");
}

LAB_TEST(a_pin_announces_what_the_probes_call_dead_until_it_ends)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_SAYS(&pop, "probes dns4 health", "down");
    POP_COMMAND(&pop, 2, "pin", "dns", "--reason", "without an end");
    POP_COMMAND(&pop, 2, "pin", "dns", "--for", "1h");
    POP_HISTORY(&pop, 0, "");
    POP_COMMAND(&pop, 0, "pin", "dns", "--for", "1h", "--reason", "the probe is wrong", "--wait");
    POP_HISTORY(&pop, 0, "A");
    POP_COMMAND(&pop, 0, "unpin", "dns", "--wait");
    POP_HISTORY(&pop, 0, "AW");
    POP_COMMAND(&pop, 0, "pin", "dns", "--for", "300ms", "--reason", "briefly");
    POP_WAIT_HISTORY(&pop, 0, "AWAW");
    POP_WAIT_SAYS(&pop, "services dns intent kind", "auto");
    POP_HISTORY(&pop, 0, "AWAW");
}

// ---- More services than one

static const char three_services[] = POP_USUAL
    "[service mail]\nprefixes = 198.51.100.25/32\nrequire = dns4\nlast_pop_guard = off\n" POP_TIMING
    "[service web]\nprefixes = 198.51.100.80/32 2001:db8:80::/48\nrequire = dns6\n"
    "last_pop_guard = off\n" POP_TIMING;

LAB_TEST(several_services_and_all_are_drained_at_once)
{
    struct pop pop = announced_pop(&(struct pop_options){0}, three_services);

    LAB_WAIT(tap_has(pop.tap, "198.51.100.25/32") && tap_has(pop.tap, "198.51.100.80/32"),
             "the other services", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "drain", "dns", "web", "--now", "--wait");
    lab_barrier(pop.bird, pop.tap);
    assert_true(pop_withdrawn(&pop));
    assert_false(tap_has(pop.tap, "198.51.100.80/32"));
    assert_true(tap_has(pop.tap, "198.51.100.25/32"));

    POP_COMMAND(&pop, 0, "drain", "--all", "--now", "--wait");
    lab_barrier(pop.bird, pop.tap);
    assert_int_equal(tap_route_count(pop.tap), 0);
    POP_COMMAND(&pop, 0, "undrain", "--all");
    LAB_WAIT(tap_route_count(pop.tap) == 5, "all five prefixes", POP_WAIT_MS);
}

LAB_TEST(one_unknown_service_among_others_changes_nothing)
{
    struct pop pop = announced_pop(&(struct pop_options){0}, three_services);

    POP_COMMAND(&pop, 1, "drain", "web", "dsn", "--now");
    assert_true(output_has("dns"));
    assert_true(pop_says(&pop, "services web intent kind", "auto"));
}

// ---- The command

LAB_TEST(a_usage_error_is_told_from_a_missing_daemon)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    POP_COMMAND(&pop, 3, "status");
    assert_true(output_has("popgate.sock"));
    POP_COMMAND(&pop, 3, "drain", "dns");
    pop_run(&pop, POP_USUAL);
    POP_COMMAND(&pop, 0, "status");
    POP_COMMAND(&pop, 2, "drian", "dns");
    assert_true(output_has("drain"));
    POP_COMMAND(&pop, 2, "drain");
    POP_COMMAND(&pop, 2, "drain", "dns", "--all");
    POP_COMMAND(&pop, 2, "drain", "dns", "--for", "soon");
    POP_COMMAND(&pop, 2, "status", "--force");
    POP_COMMAND(&pop, 1, "explain", "dms");
    assert_true(output_has("dns"));
    lab_popgated_kill(pop.popgated);
    POP_COMMAND(&pop, 3, "status");
}

LAB_TEST(waiting_in_vain_ends_with_a_status_of_its_own)
{
    struct pop pop = usual_pop();

    lab_stop(lab_bird_process(pop.bird));
    POP_COMMAND(&pop, 5, "drain", "dns", "--now", "--wait=300ms");
    assert_true(pop_says(&pop, "services dns intent kind", "drain"));
    lab_cont(lab_bird_process(pop.bird));
    POP_WAIT_WITHDRAWN(&pop);
}

LAB_TEST(check_speaks_as_nagios_does)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    POP_COMMAND(&pop, 3, "check");
    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "services dns prefixes " POP_V4 " announced", "true");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_COMMAND(&pop, 0, "check");
    lab_kill(pop.unbound);
    POP_WAIT_SAYS(&pop, "services dns target", "withdraw");
    POP_COMMAND(&pop, 2, "check");
}

static struct lab_process *popgate_as_nobody(const struct pop *pop, const char *verb,
                                             const char *service)
{
    char program[LAB_PATH_MAX], socket[LAB_PATH_MAX];
    struct lab_command command = {
        .name = verb,
        .argv = LAB_ARGV(lab_program_for_all(pop->node, lab_popgate_program(), program), "--socket",
                         lab_path(pop->node, "run/popgate.sock", socket), verb, service),
        .user = LAB_NOBODY,
    };

    return lab_spawn(pop->node, &command);
}

LAB_TEST(an_ordinary_user_may_look_but_not_touch)
{
    struct pop pop = usual_pop();

    if (!lab_has_users()) {
        skip();
    }
    struct lab_process *status = popgate_as_nobody(&pop, "status", "dns");
    assert_int_equal(lab_wait_exit(status, POP_WAIT_MS), 0);
    assert_true(lab_log_contains(status, "dns"));
    struct lab_process *drain = popgate_as_nobody(&pop, "drain", "dns");
    assert_int_equal(lab_wait_exit(drain, POP_WAIT_MS), 1);
    assert_true(lab_log_contains(drain, "not allowed"));
    assert_true(pop_says(&pop, "services dns intent kind", "auto"));
    POP_HISTORY(&pop, 0, "A");
}

// ---- What it prints

// Columns, counting characters of UTF-8.
static size_t columns(const char *line, size_t length)
{
    size_t count = 0;

    for (size_t i = 0; i < length; i++) {
        count += ((unsigned char)line[i] & 0xc0) != 0x80;
    }
    return count;
}

static void assert_fits_80_columns(const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");

        if (columns(text, length) > 80) {
            lab_fail("this line is wider than 80 columns: %.*s", (int)length, text);
        }
        text += length + (text[length] == '\n');
    }
}

static void assert_verbs_fit(const struct pop *pop)
{
    POP_COMMAND(pop, 0, "status");
    assert_fits_80_columns(pop_output);
    POP_COMMAND(pop, 0, "explain", "dns");
    assert_fits_80_columns(pop_output);
    POP_COMMAND(pop, 0, "probes");
    assert_fits_80_columns(pop_output);
    POP_COMMAND(pop, 0, "events");
    assert_fits_80_columns(pop_output);
}

#define LONG_REASON                                                                                \
    "a reason that is much longer than what fits into a line of any table, whoever prints it"

LAB_TEST(everything_printed_fits_80_columns)
{
    struct pop pop = announced_pop(&(struct pop_options){.transit = true}, three_services);

    setenv("COLUMNS", "80", 1); // there is no terminal to ask
    assert_verbs_fit(&pop);
    POP_COMMAND(&pop, 0, "drain", "dns", "--grace", "1h", "--for", "2h", "--reason", LONG_REASON);
    assert_verbs_fit(&pop);
    lab_kill(pop.unbound);
    POP_WAIT_SAYS(&pop, "services web target", "withdraw");
    assert_verbs_fit(&pop);
    lab_bird_kill(pop.bird);
    POP_WAIT_SAYS(&pop, "bird link state", "down");
    assert_verbs_fit(&pop);
    unsetenv("COLUMNS");
}

static void assert_json(const char *member)
{
    json_t *root = json_loads(pop_output, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(root);
    assert_non_null(json_object_get(root, member));
    json_decref(root);
}

LAB_TEST(json_is_json)
{
    struct pop pop = usual_pop();

    POP_COMMAND(&pop, 0, "--json", "status");
    assert_json("services");
    POP_COMMAND(&pop, 0, "explain", "dns", "--json");
    assert_json("events");
    POP_COMMAND(&pop, 0, "probes", "--json");
    assert_json("probes");
    POP_COMMAND(&pop, 0, "events", "--json");
    assert_json("events");
    POP_COMMAND(&pop, 0, "drain", "dns", "--json");
    assert_json("message");
}

LAB_TEST(draining_again_announces_nothing)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, POP_USUAL);
    POP_WAIT_ANNOUNCED(&pop);
    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    POP_COMMAND(&pop, 0, "drain", "dns", "--grace", "1h", "--reason", "again", "--wait");
    POP_HISTORY(&pop, 0, "AW");
}

// ---- Following

static struct lab_process *follow(const struct pop *pop)
{
    char socket_path[LAB_PATH_MAX];
    struct lab_command command = {.name = "follow",
                                  .argv =
                                      LAB_ARGV(lab_popgate_program(), "--socket",
                                               lab_path(pop->node, "run/popgate.sock", socket_path),
                                               "events", "--follow")};
    return lab_spawn(pop->node, &command);
}

LAB_TEST(who_follows_events_goes_on_after_a_restart_of_popgated)
{
    struct pop pop = usual_pop();
    struct lab_process *follower = follow(&pop);

    LAB_WAIT(lab_log_contains(follower, "withdraw to announce"), "the first event", POP_WAIT_MS);
    lab_popgated_kill(pop.popgated);
    LAB_WAIT(lab_log_contains(follower, "waiting for popgated to come back"), "it to be missed",
             POP_WAIT_MS);
    lab_popgated_restart(pop.popgated);
    LAB_WAIT(lab_log_contains(follower, "taking over what BIRD announces"),
             "the first event of the next run", POP_WAIT_MS);
    assert_true(lab_running(follower));
}

// `popgate events --follow | head -1` stayed for ever.
LAB_TEST(who_follows_events_ends_when_its_reader_does)
{
    struct pop pop = usual_pop();
    char script[2 * LAB_PATH_MAX + 64], socket_path[LAB_PATH_MAX];

    snprintf(script, sizeof script, "%s --socket %s events --follow | head -n 1",
             lab_popgate_program(), lab_path(pop.node, "run/popgate.sock", socket_path));
    struct lab_command command = {.name = "head", .argv = LAB_ARGV("sh", "-c", script)};
    assert_int_equal(lab_wait_exit(lab_spawn(pop.node, &command), POP_WAIT_MS), 0);
}

static void assert_json_error_once(void)
{
    const char *first = strstr(pop_output, "{\"error\"");

    assert_non_null(first);
    assert_null(strstr(first + 1, "{\"error\""));
}

LAB_TEST(errors_are_json_for_who_reads_json)
{
    struct pop pop = usual_pop();

    POP_COMMAND(&pop, 1, "--json", "explain", "dms");
    assert_true(output_has("{\"error\""));
    POP_COMMAND(&pop, 1, "--json", "status", "dms");
    assert_true(output_has("{\"error\""));
    POP_COMMAND(&pop, 2, "drain", "--al", "--json");
    assert_true(output_has("{\"error\":\"unknown option `--al`\"}"));
    POP_COMMAND(&pop, 2, "drain", "d\xffs", "--json");
    assert_true(output_has("is not UTF-8\"}"));
    POP_COMMAND(&pop, 2, "--json");
    assert_true(output_has("{\"error\":\"a verb is missing\"}"));
    lab_popgated_kill(pop.popgated);
    POP_COMMAND(&pop, 3, "--json", "status");
    assert_true(output_has("{\"error\""));
    POP_COMMAND(&pop, 3, "--json", "check");
    assert_json_error_once();
}

// For grep: an event is one line, however long.
LAB_TEST(what_is_piped_is_not_wrapped)
{
    struct pop pop = usual_pop();

    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait", "--reason", LONG_REASON);
    POP_COMMAND(&pop, 0, "events", "dns");
    assert_true(output_has(LONG_REASON));
    for (const char *line = pop_output; *line; line += strcspn(line, "\n") + 1) {
        assert_true(strncmp(line, "20", 2) == 0); // each begins with its date
    }
}

// The exit status of a popgate whose output nobody can have.
static int unheard(const struct pop *pop, const char *words)
{
    char socket[LAB_PATH_MAX];
    char command[512];
    snprintf(command, sizeof command, "%s --socket %s %s >/dev/full 2>&1", lab_popgate_program(),
             lab_path(pop->node, "run/popgate.sock", socket), words);
    return lab_run(pop->node, LAB_ARGV("sh", "-c", command), NULL, 0);
}

LAB_TEST(what_was_done_is_no_failure_when_it_can_t_be_said)
{
    struct pop pop = usual_pop();

    assert_int_equal(unheard(&pop, "drain dns --now --force --wait"), 0);
    assert_int_equal(unheard(&pop, "release dns"), 4);
    assert_int_equal(unheard(&pop, "check"), 1);
    assert_int_equal(unheard(&pop, "undrain dns --wait"), 0);
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    assert_int_equal(unheard(&pop, "check"), 2);
    assert_int_equal(unheard(&pop, "reload"), 0);
    assert_int_equal(unheard(&pop, "status"), 1); // to be seen is all that it is for
}

// ---- The shell's completion

LAB_TEST(bash_completes_services_verbs_and_options)
{
    static const struct {
        const char *words, *completed;
    } rows[] = {{"drain d", "dns\n"},
                {"drain --rea", "--reason\n"},
                {"drain --reason d", "\n"}, // a text
                {"probes d", "\n"},
                {"und", "undrain\n"}};
    struct pop pop = usual_pop();
    char command[1024], completed[256];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(command, sizeof command,
                 "popgate() { %s \"$@\"; }; . etc/completion/popgate.bash; "
                 "COMP_WORDS=(popgate --socket %s/run/popgate.sock %s); "
                 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _popgate; echo \"${COMPREPLY[@]}\"",
                 lab_popgate_program(), lab_dir(pop.node), rows[i].words);
        assert_int_equal(
            lab_run(pop.node, LAB_ARGV("bash", "-c", command), completed, sizeof completed), 0);
        assert_string_equal(completed, rows[i].completed);
    }
}
