// One probe, run in a node by the real scheduler, from the configuration text that an operator
// would write.
#pragma once

#include "probes/probe.h"
#include "tests/lab/lab.h"

// The pop that probes are run for: its `id` and `region`.
#define LAB_CHECK_ID     "fra1"
#define LAB_CHECK_REGION "eu-central"

// Runs one check. keys are the lines of a [probe] section: "type = tls\ntarget = 192.0.2.1:853\n";
// a timeout that no slow machine will see is the default. Fails the test if they are wrong.
struct verdict lab_check(struct lab_node *node, const char *keys);

// The same, count checks of one running probe; before (may be NULL) is called ahead of each.
void lab_check_times(struct lab_node *node, const char *keys, size_t count,
                     void (*before)(void *arg, size_t i), void *arg, struct verdict *out);

// Fails the test, showing the verdict, unless it is of that kind, with that code and cause_part in
// its cause.
void lab_assert_verdict(const struct verdict *verdict, enum verdict_kind kind, const char *code,
                        const char *cause_part);
#define LAB_CHECK(node, kind, code, cause_part, keys)                                              \
    do {                                                                                           \
        struct verdict lab_verdict = lab_check((node), (keys));                                    \
        lab_assert_verdict(&lab_verdict, (kind), (code), (cause_part));                            \
    } while (0)
