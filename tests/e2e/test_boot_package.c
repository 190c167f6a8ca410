// The package on a systemd that runs: apt's ways in, over and out, and the reboot after each.
#include "tests/lab/booted.h"
#include "tests/lab/runbook.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

// Puts the package that `make deb` has built into the tree; false: there is none.
static bool has_package(const struct booted *pop)
{
    char pattern[512], to[LAB_PATH_MAX];
    const char *program = lab_popgated_program();
    const char *slash = strrchr(program, '/');
    glob_t found;

    snprintf(pattern, sizeof pattern, "%.*s/deb/popgate_*.deb",
             slash != NULL ? (int)(slash - program) : 1, slash != NULL ? program : ".");
    bool there = glob(pattern, 0, NULL, &found) == 0 &&
                 lab_run(pop->node,
                         LAB_ARGV("cp", found.gl_pathv[found.gl_pathc - 1],
                                  boot_path(pop->boot, "/var/cache/popgate.deb", to)),
                         NULL, 0) == 0;
    globfree(&found);
    return there;
}

// Announced, and installed as the package has it; what it depends on is on the host.
static struct booted packaged(const char *test)
{
    struct booted pop = booted_host(false);

    if (!has_package(&pop)) {
        fprintf(stderr, "skipped: %s: there is no package: make deb\n", test);
        skip();
    }
    boot_start(pop.boot);
    BOOTED_RUN(&pop, 0, "dpkg", "--force-depends", "-i", "/var/cache/popgate.deb");
    assert_true(booted_is(&pop, "popgated", "ActiveState", "inactive"));
    booted_configure(&pop, BOOTED_USUAL);
    BOOTED_RUN(&pop, 0, "sh", "-c",
               "sed -i '2i include \"/run/[p]opgate/bird*.conf\";' /etc/bird/bird.conf && "
               "birdc configure");
    BOOTED_RUN(&pop, 0, "systemctl", "enable", "--now", "popgated");
    BOOTED_WAIT_ANNOUNCED(&pop);
    return pop;
}

BOOT_TEST(an_upgrade_over_one_that_runs_is_not_seen_by_the_upstream)
{
    struct booted pop = packaged("an_upgrade_over_one_that_runs_is_not_seen_by_the_upstream");
    size_t mark = tap_event_count(pop.tap);
    char before[64];

    snprintf(before, sizeof before, "%s", boot_shows(pop.boot, "popgated", "MainPID"));
    BOOTED_RUN(&pop, 0, "dpkg", "--force-depends", "-i", "/var/cache/popgate.deb");
    LAB_WAIT(booted_is(&pop, "popgated", "SubState", "running") &&
                 !booted_is(&pop, "popgated", "MainPID", before),
             "another popgated", BOOTED_WAIT_MS);
    LAB_WAIT(boot_run(pop.boot, LAB_ARGV("popgate", "check"), pop_output, sizeof pop_output) == 0,
             "it to have seen that all is well", BOOTED_WAIT_MS);
    assert_int_equal(tap_event_count(pop.tap), mark);
}

BOOT_TEST(what_is_removed_or_purged_is_withdrawn_and_bird_starts_at_the_next_boot)
{
    struct booted pop =
        packaged("what_is_removed_or_purged_is_withdrawn_and_bird_starts_at_the_next_boot");

    BOOTED_RUN(&pop, 0, "dpkg", "--remove", "popgate");
    BOOTED_WAIT_WITHDRAWN(&pop);
    boot_reboot(pop.boot);
    LAB_WAIT(tap_established(pop.tap), "BIRD to be there", BOOTED_WAIT_MS);
    BOOTED_RUN(&pop, 0, "dpkg", "--purge", "popgate");
    BOOTED_RUN(&pop, 2, "sh", "-c",
               "ls -d /run/popgate /var/lib/popgate* /etc/popgate/popgate.conf");
    boot_reboot(pop.boot);
    LAB_WAIT(tap_established(pop.tap), "BIRD to be there", BOOTED_WAIT_MS);
    assert_false(tap_has(pop.tap, POP_V4));
}

BOOT_TEST(the_package_stays_while_popgated_was_not_stopped)
{
    struct booted pop = packaged("the_package_stays_while_popgated_was_not_stopped");

    BOOTED_RUN(&pop, 0, "sh", "-c",
               "printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && "
               "chmod 755 /usr/sbin/policy-rc.d");
    BOOTED_RUN(&pop, 1, "dpkg", "--remove", "popgate");
    assert_non_null(strstr(pop_output, "popgated was not stopped"));
    BOOTED_RUN(&pop, 0, "popgate", "check");
    BOOTED_RUN(&pop, 0, "systemctl", "stop", "popgated");
    BOOTED_RUN(&pop, 0, "dpkg", "--remove", "popgate");
    BOOTED_WAIT_WITHDRAWN(&pop);
}

// ---- Runbooks, as an operator follows them

// Another version of the package, so that there is one to come from, and to go back to.
static void put_packages(const struct booted *pop)
{
    BOOTED_RUN(pop, 0, "sh", "-c",
               "mkdir -p " RUNBOOK_DIRECTORY " && cd " RUNBOOK_DIRECTORY " && "
               "mkdir /var/cache/old && dpkg-deb -R /var/cache/popgate.deb /var/cache/old/tree && "
               "sed -i 's/^Version: .*/Version: 0.0.1/' /var/cache/old/tree/DEBIAN/control && "
               "dpkg-deb -b /var/cache/old/tree /var/cache/old/popgate_OLD_amd64.deb && "
               "cp /var/cache/popgate.deb popgate_NEW_amd64.deb");
}

static void put_old_package(const struct booted *pop)
{
    BOOTED_RUN(pop, 0, "cp", "/var/cache/old/popgate_OLD_amd64.deb", RUNBOOK_DIRECTORY);
}

static void write_configuration(const struct booted *pop)
{
    booted_configure(pop, BOOTED_USUAL);
}

static void include_in_bird_conf(const struct booted *pop)
{
    BOOTED_RUN(pop, 0, "sed", "-i", "2i include \"/run/[p]opgate/bird*.conf\";",
               "/etc/bird/bird.conf");
}

static void include_no_more(const struct booted *pop)
{
    BOOTED_RUN(pop, 0, "sed", "-i", "/^include/d", "/etc/bird/bird.conf");
}

static void reboot(const struct booted *pop)
{
    boot_reboot(pop->boot);
    LAB_WAIT(tap_established(pop->tap), "BIRD to be there", BOOTED_WAIT_MS);
}

static void see_announced(const struct booted *pop)
{
    BOOTED_WAIT_ANNOUNCED(pop);
}

static void see_withdrawn(const struct booted *pop)
{
    BOOTED_WAIT_WITHDRAWN(pop);
}

BOOT_TEST(the_runbooks_of_installation_and_removal_do_what_they_say)
{
    struct booted pop = booted_host(false);

    if (!has_package(&pop)) {
        fprintf(stderr, "skipped: the runbooks of installation and removal: make deb\n");
        skip();
    }
    boot_start(pop.boot);
    put_packages(&pop);
    runbook_run(&pop, "installation",
                (const struct runbook_hand[]){{"popgated --check-config", write_configuration},
                                              {"birdc configure", include_in_bird_conf},
                                              {"popgate isolate", see_announced},
                                              {NULL, NULL}});
    BOOTED_WAIT_WITHDRAWN(&pop);
    BOOTED_RUN(&pop, 0, "popgate", "release", "--all");
    BOOTED_WAIT_ANNOUNCED(&pop);
    runbook_run(&pop, "removal",
                (const struct runbook_hand[]){{"apt remove", see_withdrawn},
                                              {"birdc configure", include_no_more},
                                              {"bird -p", reboot},
                                              {NULL, NULL}});
}

BOOT_TEST(the_runbook_of_an_upgrade_there_and_back_is_not_seen_by_the_upstream)
{
    struct booted pop =
        packaged("the_runbook_of_an_upgrade_there_and_back_is_not_seen_by_the_upstream");
    size_t mark = tap_event_count(pop.tap);

    put_packages(&pop);
    BOOTED_RUN(&pop, 0, "dpkg", "-i", "/var/cache/old/popgate_OLD_amd64.deb");
    runbook_run(
        &pop, "upgrade",
        (const struct runbook_hand[]){{"--allow-downgrades", put_old_package}, {NULL, NULL}});
    LAB_WAIT(boot_run(pop.boot, LAB_ARGV("popgate", "check"), pop_output, sizeof pop_output) == 0,
             "the old version to have seen that all is well", BOOTED_WAIT_MS);
    assert_int_equal(tap_event_count(pop.tap), mark);
}

static void mend_the_program(const struct booted *pop)
{
    BOOTED_RUN(pop, 0, "sh", "-c",
               "rm -r /run/systemd/system/popgated.service.d && systemctl daemon-reload");
}

BOOT_TEST(the_runbook_of_a_popgated_that_cannot_be_started_brings_it_back)
{
    struct booted pop = packaged("the_runbook_of_a_popgated_that_cannot_be_started_brings_it_back");

    BOOTED_RUN(&pop, 0, "sh", "-c",
               "mkdir /run/systemd/system/popgated.service.d && "
               "printf '[Service]\nExecStart=\nExecStart=/bin/false\n' > "
               "/run/systemd/system/popgated.service.d/fails.conf && systemctl daemon-reload");
    BOOTED_RUN(&pop, 0, "systemctl", "kill", "--kill-whom=main", "--signal=KILL", "popgated");
    BOOTED_WAIT_WITHDRAWN(&pop);
    runbook_run(
        &pop, "cannot-start",
        (const struct runbook_hand[]){{"systemctl restart", mend_the_program}, {NULL, NULL}});
    assert_true(tap_has(pop.tap, POP_V4));
}
