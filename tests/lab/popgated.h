// The programs under test: popgated in a node, and the popgate command.
//
// Their paths come from POPGATED and POPGATE in the environment, or are build/popgated and
// build/popgate.
#pragma once

#include "tests/lab/bird.h"
#include "tests/lab/lab.h"

struct lab_popgated;

#define LAB_REGION "eu-central" // of every PoP in the lab

// A configuration for the node: [pop] with its run/ and state/, [bird] with this BIRD's socket and
// local_as, then extra, which may go on with [bird]. Returns out.
const char *lab_popgated_config(const struct lab_node *node, const struct lab_bird *bird,
                                uint32_t local_as, const char *extra, char out[LAB_CONFIG_MAX]);

// Runs `popgated --config FILE` and waits till it says READY=1 (sd_notify).
struct lab_popgated *lab_popgated_start(struct lab_node *node, const char *config);
struct lab_popgated *lab_popgated_start_as(struct lab_node *node, const char *config, uid_t user);

struct lab_process *lab_popgated_process(struct lab_popgated *popgated); // to stop, signal, kill

void lab_popgated_kill(struct lab_popgated *popgated);    // SIGKILL
int lab_popgated_stop(struct lab_popgated *popgated);     // SIGTERM; returns the exit status
void lab_popgated_restart(struct lab_popgated *popgated); // after it ended; waits for READY=1

// Replaces the configuration and sends SIGHUP. Returns at once: what comes of it, the test waits
// for.
void lab_popgated_reload(struct lab_popgated *popgated, const char *config);

// How often has it said text ("READY=1", "STATUS=...", a part of it) to sd_notify, all runs
// together?
size_t lab_popgated_notified(struct lab_popgated *popgated, const char *text);

// Runs `popgate --socket <run/popgate.sock> WORDS...` in the node; returns its exit status. What it
// wrote is in output, which may be NULL: LAB_POPGATE(pop, output, "drain", "dns", "--wait").
#define LAB_OUTPUT_MAX                 65536
#define LAB_POPGATE(node, output, ...) lab_popgate((node), (output), LAB_ARGV(__VA_ARGS__))
int lab_popgate(struct lab_node *node, char output[LAB_OUTPUT_MAX], const char *const words[]);

// Paths of the two programs; of a copy in the node's directory, which every user may run.
const char *lab_popgated_program(void);
const char *lab_popgate_program(void);
const char *lab_program_for_all(struct lab_node *node, const char *program, char out[LAB_PATH_MAX]);
