// New configurations, clean stops, and what popgated does without being run as a daemon.
#include "tests/lab/pop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEB_V4 "198.51.100.80/32"
#define WEB_V6 "2001:db8:80::/48"
#define WEB                                                                                        \
    "[service web]\nprefixes = " WEB_V4 " " WEB_V6                                                 \
    "\nrequire = dns4\nlast_pop_guard = off\n" POP_TIMING

static struct pop announced_pop(const char *sections)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, sections);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_WAIT_SAYS(&pop, "include saved", "true");
    return pop;
}

static bool output_has(const char *text)
{
    return strstr(pop_output, text) != NULL;
}

// ---- Reload

LAB_TEST(a_broken_configuration_changes_nothing_and_is_told)
{
    struct pop pop = announced_pop(POP_USUAL);

    pop_write(&pop, POP_USUAL "hold_dwon = 1s\n");
    POP_COMMAND(&pop, 1, "reload");
    assert_true(output_has("popgate.conf:"));
    assert_true(output_has("hold_down"));
    LAB_WAIT(pop_has_event(&pop, "nothing was changed"), "an event about it", POP_WAIT_MS);

    pop_reload(&pop, "[service dns]\n"); // and by signal
    LAB_WAIT(lab_log_contains(lab_popgated_process(pop.popgated), "prefixes"),
             "the log to say what is missing", POP_WAIT_MS);
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    POP_HISTORY(&pop, 0, "AW");
}

// SIGTERM is held from a start's first moments on, as its mask tells.
static bool holds_signals(const struct lab_process *process)
{
    char path[64];
    char line[128];
    unsigned long long held = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)lab_pid(process));
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "SigBlk:", 7) == 0) {
            held = strtoull(line + 7, NULL, 16);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return (held & 1ULL << (SIGTERM - 1)) != 0;
}

// SIGHUP by itself would end it, with nobody to withdraw what it was to take over.
LAB_TEST(a_reload_asked_for_by_signal_during_the_start_comes_after_it)
{
    struct pop pop = announced_pop(POP_USUAL);
    struct lab_process *process = lab_popgated_process(pop.popgated);
    char path[LAB_PATH_MAX];

    lab_path(pop.node, "popgate.conf", path); // it takes some time to read it
    assert_int_equal(
        lab_run(pop.node,
                LAB_ARGV("sh", "-c", "yes '# a comment' | head -n 500000 >> \"$0\"", path), NULL,
                0),
        0);
    lab_popgated_kill(pop.popgated);
    lab_respawn(process);
    while (!holds_signals(process)) {
        assert_true(lab_running(process));
    }
    lab_signal(process, SIGHUP);
    LAB_WAIT(lab_log_contains(process, "configuration reloaded"), "the reload", POP_WAIT_MS);
    POP_HISTORY(&pop, 0, "A");
}

LAB_TEST(a_reload_that_waits_says_whether_bird_has_taken_the_file)
{
    struct pop pop = announced_pop(POP_USUAL);

    pop_write(&pop, POP_USUAL WEB);
    POP_COMMAND(&pop, 0, "reload", "--wait");
    assert_true(pop_says(&pop, "include state", "loaded"));
    lab_bird_write(pop.bird, "protocol bgp half_written {\n  neighbor");
    pop_write(&pop, POP_USUAL);
    POP_COMMAND(&pop, 1, "reload", "--wait");
    assert_non_null(strstr(pop_output, "BIRD refuses the include file"));
}

LAB_TEST(an_unchanged_configuration_sends_nothing)
{
    struct pop pop = announced_pop(POP_USUAL);

    POP_COMMAND(&pop, 0, "reload");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_WAIT_SAYS(&pop, "include state", "loaded");
    POP_HISTORY(&pop, 0, "A");
    assert_true(pop_says(&pop, "drifts", "0"));
}

LAB_TEST(a_service_that_comes_and_goes_leaves_the_others_alone)
{
    struct pop pop = announced_pop(POP_USUAL);

    pop_reload(&pop, POP_USUAL WEB);
    LAB_WAIT(tap_has(pop.tap, WEB_V4) && tap_has(pop.tap, WEB_V6), "the new service", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "services web seen", "true");
    pop_reload(&pop, POP_USUAL);
    LAB_WAIT(!tap_has(pop.tap, WEB_V4) && !tap_has(pop.tap, WEB_V6), "the removed service to go",
             POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "include state", "loaded");
    assert_null(strstr(lab_birdc(pop.bird, "show protocols"), "popgate_web"));
    POP_HISTORY(&pop, 0, "A");
    assert_int_equal(tap_events(pop.tap, 0, WEB_V4, NULL, 0), 2);
}

LAB_TEST(a_changed_community_is_one_update_of_that_service)
{
    struct pop pop = announced_pop(POP_USUAL WEB);

    LAB_WAIT(tap_has(pop.tap, WEB_V4) && tap_has(pop.tap, WEB_V6), "both services", POP_WAIT_MS);
    pop_reload(&pop, POP_USUAL WEB "communities = 64512:80\n");
    LAB_WAIT(tap_has_community(pop.tap, WEB_V4, POP_AS, 80) &&
                 tap_has_community(pop.tap, WEB_V6, POP_AS, 80),
             "the new community", POP_WAIT_MS);
    POP_HISTORY(&pop, 0, "A");
    assert_int_equal(tap_events(pop.tap, 0, WEB_V4, NULL, 0), 2);
    assert_int_equal(tap_withdrawn_at_ns(pop.tap, WEB_V4), 0);
}

LAB_TEST(an_added_prefix_is_announced_with_its_service)
{
    struct pop pop = announced_pop(POP_USUAL);

    pop_reload(&pop, POP_PROBES "[service dns]\nprefixes = " POP_V4 " " POP_V6 " 203.0.113.0/24\n"
                                "require = dns4 dns6\nlast_pop_guard = off\n" POP_TIMING);
    LAB_WAIT(tap_has(pop.tap, "203.0.113.0/24"), "the new prefix", POP_WAIT_MS);
    POP_HISTORY(&pop, 0, "A");
}

LAB_TEST(a_drain_outlives_a_reload)
{
    struct pop pop = announced_pop(POP_USUAL);

    POP_COMMAND(&pop, 0, "drain", "dns", "--now", "--wait");
    POP_COMMAND(&pop, 0, "reload");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    assert_true(pop_says(&pop, "services dns intent kind", "drain"));
    POP_HISTORY(&pop, 0, "AW");
}

LAB_TEST(a_service_that_was_away_comes_back_drained_as_it_went)
{
    struct pop pop = announced_pop(POP_USUAL WEB);

    LAB_WAIT(tap_has(pop.tap, WEB_V4), "the other service", POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "drain", "web", "--now", "--wait");
    pop_reload(&pop, POP_USUAL);
    LAB_WAIT(pop_says(&pop, "services web name", ""), "the service to be gone", POP_WAIT_MS);
    pop_reload(&pop, POP_USUAL WEB);
    POP_WAIT_SAYS(&pop, "services web allowed", "announce");
    assert_true(pop_says(&pop, "services web target", "withdraw"));
    lab_barrier(pop.bird, pop.tap);
    assert_int_equal(tap_events(pop.tap, 0, WEB_V4, NULL, 0), 2);
}

// ---- A reload that takes its time

#define MANY_ANSWERS 60000

// A configuration that takes a good part of a second to read.
static char *huge_config(const struct pop *pop)
{
    char head[LAB_CONFIG_MAX];
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    fputs(lab_popgated_config(pop->node, pop->bird, POP_AS, POP_USUAL, head), out);
    fprintf(out, "[responder]\nlisten = 127.0.0.1:5300\nzone = pop.example.net\n"
                 "ns = ns.example.net\n");
    for (unsigned i = 0; i < MANY_ANSWERS; i++) {
        fprintf(out, "[answer name%u.pop.example.net]\nservice = dns\na = 192.0.2.1\n", i);
    }
    fclose(out);
    return text;
}

static size_t reloads_ended(const struct pop *pop)
{
    return lab_popgated_notified(pop->popgated, "READY=1");
}

// Whether the prefixes were withdrawn before the reload under way had ended.
static bool withdrawn_in_mid_reload(struct pop *pop, const char *config)
{
    size_t before = reloads_ended(pop);

    POP_WAIT_ANNOUNCED(pop);
    POP_WAIT_SAYS(pop, "services dns seen", "true");
    lab_popgated_reload(pop->popgated, config);
    lab_kill(pop->unbound);
    POP_WAIT_WITHDRAWN(pop);
    bool first = reloads_ended(pop) == before;
    LAB_WAIT(reloads_ended(pop) > before, "the reload to end", POP_WAIT_MS);
    return first;
}

// A machine that is busy elsewhere may let the reload win; not again and again.
LAB_TEST(a_withdrawal_does_not_wait_for_a_huge_configuration_to_be_read)
{
    struct pop pop = announced_pop(POP_USUAL);
    char *config = huge_config(&pop);
    bool first = withdrawn_in_mid_reload(&pop, config);

    for (unsigned tries = 1; !first && tries < 5; tries++) {
        lab_unbound_restart(pop.unbound);
        first = withdrawn_in_mid_reload(&pop, config);
    }
    assert_true(first);
    assert_true(pop_has_event(&pop, "configuration reloaded"));
    assert_true(pop_withdrawn(&pop)); // the new configuration has taken over what it found
    assert_true(pop_says(&pop, "services dns target", "withdraw"));
    lab_unbound_restart(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
    free(config);
}

LAB_TEST(a_stop_does_not_wait_for_a_huge_configuration_to_be_in_use)
{
    struct pop pop = announced_pop(POP_USUAL);
    char *config = huge_config(&pop);

    lab_popgated_reload(pop.popgated, config);
    LAB_WAIT(lab_popgated_notified(pop.popgated, "RELOADING=1") > 0, "the reload to begin",
             POP_WAIT_MS);
    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    POP_WAIT_WITHDRAWN(&pop);
    free(config);
}

// ---- Stop

static char *include_file(const struct pop *pop, char *out, size_t size)
{
    char path[LAB_PATH_MAX];
    FILE *file = fopen(lab_path(pop->node, "run/bird.conf", path), "re");

    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
    return out;
}

LAB_TEST(a_clean_stop_withdraws_and_the_file_says_so)
{
    char file[16384];
    struct pop pop = announced_pop(POP_USUAL);

    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    POP_HISTORY(&pop, 0, "AW");
    assert_null(strstr(include_file(&pop, file, sizeof file), "disabled off"));
}

LAB_TEST(a_clean_stop_that_withdrew_is_followed_by_hold_down)
{
    struct pop pop = announced_pop(POP_PROBES POP_SERVICE "hold_down = 1h\nmax_hold_down = 1h\n");

    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns cause", "hold-down");
    POP_HISTORY(&pop, 0, "AW");
    lab_popgated_kill(pop.popgated); // whatever ends it then
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns cause", "hold-down");
    POP_HISTORY(&pop, 0, "AW");
}

LAB_TEST(a_clean_stop_may_keep_and_the_next_start_sends_nothing)
{
    struct pop pop = announced_pop(POP_USUAL "on_exit = keep\n");

    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    POP_HISTORY(&pop, 0, "A");
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns cause", "healthy");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "A");
}

LAB_TEST(a_planned_restart_sends_nothing_though_a_stop_would_withdraw)
{
    struct pop pop = announced_pop(POP_USUAL "on_exit = withdraw\n");

    lab_signal(lab_popgated_process(pop.popgated), SIGUSR1);
    assert_int_equal(lab_wait_exit(lab_popgated_process(pop.popgated), POP_WAIT_MS), 75);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns cause", "healthy");
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_HISTORY(&pop, 0, "A");
}

// ---- While an issuer keeps a token probe waiting

// Neither waits for the issuer, which never answers, nor for the probe's time, which is an hour.
LAB_TEST(a_reload_and_a_stop_do_not_wait_for_a_stalled_issuer)
{
    char sections[4096], secret[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});
    struct lab_tcp_server *issuer =
        lab_tcp_server_start(pop.node, "192.0.2.53", 8080, LAB_TCP_SILENT, NULL);

    lab_write(pop.node, "secret", "s3cret\n");
    chmod(lab_path(pop.node, "secret", secret), 0600);
    for (int i = 0; i < 2; i++) {
        snprintf(sections, sizeof sections,
                 "[probe login]\ntype = token\ntoken_url = http://192.0.2.53:8080/%d\n"
                 "jwks_url = http://192.0.2.53:8080/keys\nclient_id = probe\nsecret_file = %s\n"
                 "timeout = 1h\n%s",
                 i, secret, POP_USUAL "degrade = login\n");
        if (i == 0) {
            pop_run(&pop, sections);
        } else {
            pop_write(&pop, sections);
            POP_COMMAND(&pop, 0, "reload");
        }
        LAB_WAIT(lab_tcp_server_accepted(issuer) == (size_t)i + 1, "a request to the issuer",
                 POP_WAIT_MS);
    }
    pop_write(&pop, POP_USUAL);
    POP_COMMAND(&pop, 0, "reload");
    POP_WAIT_ANNOUNCED(&pop); // nothing unknown is left in its way
    pop_write(&pop, sections);
    POP_COMMAND(&pop, 0, "reload");
    LAB_WAIT(lab_tcp_server_accepted(issuer) == 3, "a request to the issuer", POP_WAIT_MS);
    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    POP_WAIT_WITHDRAWN(&pop);
}

// ---- Not as a daemon

static int run_popgated(const struct pop *pop, const char *option)
{
    char config[LAB_PATH_MAX];

    return lab_run(
        pop->node,
        LAB_ARGV(lab_popgated_program(), option, lab_path(pop->node, "popgate.conf", config)),
        pop_output, sizeof pop_output);
}

LAB_TEST(the_fail_safe_withdraws_everything_for_good)
{
    char file[16384];
    struct pop pop = announced_pop(POP_USUAL WEB);

    LAB_WAIT(tap_has(pop.tap, WEB_V4), "the other service", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "services web settled", "true");
    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_popgated_kill(pop.popgated);
    assert_int_equal(run_popgated(&pop, "--withdraw-all"), 0);
    lab_barrier(pop.bird, pop.tap);
    assert_int_equal(tap_route_count(pop.tap), 0);
    assert_null(strstr(include_file(&pop, file, sizeof file), "disabled off"));
    lab_birdc(pop.bird, "configure");
    lab_barrier(pop.bird, pop.tap);
    assert_int_equal(tap_route_count(pop.tap), 0);
    assert_int_equal(run_popgated(&pop, "--withdraw-all"), 0); // twice does no harm
}

// After a crash or the signal of a planned restart a stop may find no process yet, and end just the
// restart.
LAB_TEST(what_nobody_watches_over_any_more_is_withdrawn_and_what_was_kept_is_not)
{
    struct pop pop = announced_pop(POP_USUAL "on_exit = keep\n");

    POP_WAIT_SAYS(&pop, "include saved", "true");
    assert_int_equal(run_popgated(&pop, "--withdraw-unattended"), 0); // it runs
    assert_int_equal(lab_popgated_stop(pop.popgated), 0);
    assert_int_equal(run_popgated(&pop, "--withdraw-unattended"), 0); // it stopped
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "services dns seen", "true");
    POP_WAIT_SAYS(&pop, "include saved", "true");
    lab_barrier(pop.bird, pop.tap);
    POP_HISTORY(&pop, 0, "A");
    lab_signal(lab_popgated_process(pop.popgated), SIGUSR1);
    assert_int_equal(lab_wait_exit(lab_popgated_process(pop.popgated), POP_WAIT_MS), 75);
    assert_int_equal(run_popgated(&pop, "--withdraw-unattended"), 0);
    POP_WAIT_WITHDRAWN(&pop);
    POP_HISTORY(&pop, 0, "AW");
}

LAB_TEST(the_fail_safe_says_when_bird_is_out_of_reach)
{
    struct pop pop = announced_pop(POP_USUAL);
    char file[16384];

    lab_popgated_kill(pop.popgated);
    lab_bird_kill(pop.bird);
    assert_int_equal(run_popgated(&pop, "--withdraw-all"), 1);
    assert_true(output_has("bird.ctl"));
    assert_null(strstr(include_file(&pop, file, sizeof file), "disabled off"));
    lab_bird_restart(pop.bird); // comes up withdrawn all the same
    LAB_WAIT(lab_bird_established(pop.bird, "upstream"), "the session", POP_WAIT_MS);
    lab_barrier(pop.bird, pop.tap);
    assert_true(pop_withdrawn(&pop));
}

LAB_TEST(a_configuration_can_be_checked)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_write(&pop, POP_USUAL);
    assert_int_equal(run_popgated(&pop, "--check-config"), 0);
    pop_write(&pop, POP_USUAL "grase = 3s\nprepend = lots\n");
    assert_int_equal(run_popgated(&pop, "--check-config"), 1);
    assert_true(output_has("popgate.conf:"));
    assert_true(output_has("error: "));
    assert_true(output_has("grace"));
    assert_true(output_has("lots"));
    pop_write(&pop, POP_USUAL "[control]\ngroup = nobodys-group\n");
    assert_int_equal(run_popgated(&pop, "--check-config"), 0);
    assert_true(output_has("there is no group nobodys-group here"));
    assert_int_equal(run_popgated(&pop, "--check"), 2); // options are written in full
    assert_int_equal(run_popgated(&pop, "--w"), 2);     // this one above all
    assert_true(output_has("unknown option --w"));
}

#define NOBODY 65534

// Root may read what popgated's user can't.
LAB_TEST(who_checks_as_root_is_warned_of_secrets_that_popgated_cannot_read)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    char config[1024];
    char secret[LAB_PATH_MAX];
    char state_dir[LAB_PATH_MAX];

    lab_write(pop.node, "secret", "s3cret\n");
    lab_path(pop.node, "secret", secret);
    lab_path(pop.node, "state", state_dir);
    assert_true(mkdir(state_dir, 0755) == 0 || errno == EEXIST);
    assert_int_equal(chown(state_dir, NOBODY, NOBODY), 0);
    assert_int_equal(chmod(lab_dir(pop.node), 0755), 0);
    assert_int_equal(chmod(secret, 0600), 0);
    snprintf(config, sizeof config,
             POP_USUAL "[probe id]\ntype = token\ntoken_url = https://192.0.2.1/t\n"
                       "jwks_url = https://192.0.2.1/k\nclient_id = a\nsecret_file = %s\n",
             secret);
    pop_write(&pop, config);
    assert_int_equal(run_popgated(&pop, "--check-config"), 0);
    assert_true(output_has("[probe id]: secret_file /"));
    assert_true(output_has("Permission denied; chgrp popgate and chmod 640 it"));
    assert_true(output_has("its files were looked at as user nobody"));

    assert_int_equal(chown(secret, 0, NOBODY), 0);
    assert_int_equal(chmod(secret, 0640), 0);
    assert_int_equal(run_popgated(&pop, "--check-config"), 0);
    assert_false(output_has("secret_file"));
}

LAB_TEST(who_checks_as_root_is_warned_of_directories_that_popgated_cannot_use)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    char state_dir[LAB_PATH_MAX];
    char run_dir[LAB_PATH_MAX];

    pop_write(&pop, POP_USUAL);
    lab_path(pop.node, "state", state_dir);
    lab_path(pop.node, "run", run_dir);
    assert_true(mkdir(state_dir, 0755) == 0 || errno == EEXIST);
    assert_true(mkdir(run_dir, 0755) == 0 || errno == EEXIST);
    assert_int_equal(chmod(lab_dir(pop.node), 0755), 0);
    assert_int_equal(chown(state_dir, NOBODY, NOBODY), 0);
    assert_int_equal(chown(run_dir, NOBODY, NOBODY), 0);
    assert_int_equal(run_popgated(&pop, "--check-config"), 0);
    assert_false(output_has("if popgated finds it so"));

    assert_int_equal(chown(run_dir, 0, 0), 0); // root could write there
    assert_int_equal(chmod(run_dir, 0755), 0);
    assert_int_equal(run_popgated(&pop, "--check-config"), 0);
    assert_true(output_has("`runtime_dir`: can't write into /"));
    assert_true(output_has("Permission denied"));

    assert_int_equal(rmdir(state_dir), 0);
    assert_int_equal(run_popgated(&pop, "--check-config"), 0);
    assert_true(output_has("`state_dir`: /"));
    assert_true(output_has("No such file or directory"));
    assert_true(output_has("every service is drained"));
}

// What is remarked about the configuration goes elsewhere.
static int print_bird_config(const struct pop *pop)
{
    char config[LAB_PATH_MAX];

    return lab_run(pop->node,
                   LAB_ARGV("sh", "-c", "\"$0\" --print-bird-config \"$1\" 2>/dev/null",
                            lab_popgated_program(), lab_path(pop->node, "popgate.conf", config)),
                   pop_output, sizeof pop_output);
}

LAB_TEST(the_printed_bird_configuration_is_one_that_bird_takes)
{
    char path[LAB_PATH_MAX];
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_write(&pop, POP_USUAL WEB "communities = 64512:1 no-export\nlarge_communities = 64512:1:1\n"
                                  "ext_communities = rt:64512:10\nmed = 5\ndrain_prepend = 3\n");
    assert_int_equal(print_bird_config(&pop), 0);
    lab_write(pop.node, "run/bird.conf", pop_output);
    assert_true(output_has("popgate_web_v6_drain"));
    assert_int_equal(
        lab_run(pop.node,
                LAB_ARGV(lab_bird_program(), "-p", "-c", lab_path(pop.node, "bird.conf", path)),
                pop_output, sizeof pop_output),
        0);
}
