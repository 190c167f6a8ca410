// A booted systemd in a node: what the units do there is what they do on a host.
//
// It runs on an overlay of the host's own tree, of which nothing is changed: what is written stays
// in the lab's memory, over reboots too, and goes with the lab. The network is the node's. Nothing
// that the host starts at its boot is started there, only what the test enables.
#pragma once

#include "tests/lab/lab.h"

struct boot;

// Why it can't be had here, in words; NULL when it can. BOOT_TEST() asks.
const char *boot_hindrance(void);

// A LAB_TEST that says so and is skipped where no systemd can be booted.
#define BOOT_TEST(name)                                                                            \
    static void name##_booted(void);                                                               \
    LAB_TEST(name)                                                                                 \
    {                                                                                              \
        if (boot_hindrance() != NULL) {                                                            \
            fprintf(stderr, "skipped: %s: %s\n", #name, boot_hindrance());                         \
            skip();                                                                                \
        }                                                                                          \
        name##_booted();                                                                           \
    }                                                                                              \
    static void name##_booted(void)

// The tree, not yet booted. One per node.
struct boot *boot_make(struct lab_node *node);

// Where the tree's path (which begins with /) is for the test; returns out. /run, /tmp and /dev are
// the booted system's own, and not to be reached so.
const char *boot_path(const struct boot *boot, const char *path, char out[LAB_PATH_MAX]);
void boot_write(const struct boot *boot, const char *path, const char *text);

// Returns when everything that is enabled was started, or has failed. Its journal is "journal.log"
// in the node's directory.
void boot_start(struct boot *boot);
void boot_reboot(struct boot *boot);    // in order, as an operator's; with another boot id
void boot_power_cut(struct boot *boot); // at once; boot_start() brings it back

// Runs argv as root there; returns its exit status, as lab_run().
int boot_run(const struct boot *boot, const char *const argv[], char *output, size_t size);
#define BOOT_RUN(boot, ...) boot_run((boot), LAB_ARGV(__VA_ARGS__), NULL, 0)

// `systemctl show --property=PROPERTY UNIT`, its value; valid until the next call.
const char *boot_shows(const struct boot *boot, const char *unit, const char *property);
