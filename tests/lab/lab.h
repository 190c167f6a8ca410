// The lab: real routers and services on private networks, for tests, benchmarks and the demo.
//
// A program that calls lab_init() goes on inside PID, mount and network namespaces of its own.
// Nodes (routers, hosts) are further network namespaces, linked by veth pairs. Whatever ends the
// program, SIGKILL too, the kernel ends every process in the lab and frees every namespace and
// file. Nothing of the host's network, BIRD or /run is seen or touched, so any number of labs may
// run at once.
//
// Whatever a test makes (nodes, processes, taps, servers) belongs to the lab and lives until
// lab_clear(); nobody frees it himself. All functions are for the program's main thread and don't
// return on failure: they call lab_fail(), with what was attempted, on what, and why it failed.
#pragma once

#include "tests/test.h"

#include <stdbool.h>
#include <sys/types.h>

#define LAB_NAME_MAX 16  // of a node; an interface is named after the node at its other end
#define LAB_PATH_MAX 108 // of sun_path
#define LAB_NOBODY   65534

#define LAB_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

// Call it first thing in main(), before any thread (LAB_TEST does). Returns inside the lab; the
// process outside waits and exits with the same status. Needs root, or a kernel that lets users
// make namespaces.
void lab_init(void);

// False in a user's own namespace: there is no other user than root.
bool lab_has_users(void);

// A cmocka test with a lab of its own, cleared after it; the logs are printed when it fails (with
// KEEP=1 in the environment the lab then stays until Ctrl-C, see lab_enter_command()).
//     LAB_TEST(a_drained_prefix_is_withdrawn)
//     {
//         ...
//     }
#define LAB_TEST(name)                                                                             \
    TEST_ENTERED(name, lab_test_run, &lab_test_fixture, &(struct lab_test){name}, lab_init)
struct lab_test {
    void (*run)(void **state);
};
extern const struct test_fixture lab_test_fixture;
void lab_test_run(void **state);

// Ends everything in the lab, last made first, and empties its directory.
void lab_clear(void);

// Calls end(arg) when the lab is cleared.
void lab_at_clear(void (*end)(void *arg), void *arg);

// ---- Nodes

struct lab_node;

// A host with lo up. Has a directory with run/ and state/ in it, writable by every user.
struct lab_node *lab_node(const char *name);
const char *lab_name(const struct lab_node *node);
const char *lab_dir(const struct lab_node *node);

// "<node's directory>/<file>" in out; returns out.
const char *lab_path(const struct lab_node *node, const char *file, char out[LAB_PATH_MAX]);

// Replaces the file (a path relative to the node's directory).
void lab_write(const struct lab_node *node, const char *file, const char *text);

// A cable. Addresses are a list such as "10.0.1.1/24 2001:db8:1::1/64". They are usable at once.
void lab_link(struct lab_node *a, const char *addresses_a, struct lab_node *b,
              const char *addresses_b);

// Addresses on lo, such as an anycast service's; usable at once.
void lab_address_add(struct lab_node *node, const char *address);
void lab_address_delete(struct lab_node *node, const char *address);

// Runs `ip <arguments>` in the node; format as printf's.
__attribute__((format(printf, 2, 3))) void lab_ip(struct lab_node *node, const char *format, ...);

// Sets a kernel variable of the node's network, such as "net/ipv4/ip_forward".
void lab_sysctl(struct lab_node *node, const char *variable, const char *value);

// The calling thread (any) works in the node's network until lab_leave(). Sockets stay where they
// were made.
void lab_enter(const struct lab_node *node);
void lab_leave(void);

// A socket in the node's network, close-on-exec.
int lab_socket(const struct lab_node *node, int domain, int type);

// The shell command with which a user outside gets a shell in the node; returns out.
#define LAB_ENTER_MAX 160
const char *lab_enter_command(const struct lab_node *node, char out[LAB_ENTER_MAX]);

// ---- Processes

struct lab_process;

struct lab_command {
    const char *name;               // stdout and stderr go to "<name>.log" in the node's directory
    const char *const *argv;        // see LAB_ARGV; looked up in PATH and the sbin directories
    const char *const *environment; // "NAME=value" besides our own; may be NULL
    uid_t user;                     // uid and gid, without capabilities unless 0
};

// Everything in command is copied.
struct lab_process *lab_spawn(struct lab_node *node, const struct lab_command *command);
void lab_respawn(struct lab_process *process); // once more, after it ended; the log goes on

pid_t lab_pid(const struct lab_process *process);
bool lab_running(struct lab_process *process);
void lab_signal(struct lab_process *process, int signal);
void lab_kill(struct lab_process *process); // SIGKILL; returns when it is gone
void lab_stop(struct lab_process *process); // SIGSTOP; returns when it has stopped
void lab_cont(struct lab_process *process);

// Its exit status, or 128 + the signal that ended it.
int lab_wait_exit(struct lab_process *process, uint64_t timeout_ms);

// Does the log since the last (re)spawn contain text?
bool lab_log_contains(const struct lab_process *process, const char *text);

// Runs argv in the node to its end. Returns its exit status (128 + signal); what it wrote to stdout
// and stderr is in output (cut to size, NUL-terminated; may be NULL).
int lab_run(struct lab_node *node, const char *const argv[], char *output, size_t size);

// ---- Waiting and failing

uint64_t lab_now_ns(void); // CLOCK_MONOTONIC, as uv_hrtime()

// Waits until condition holds; fails the test when it doesn't within timeout_ms. what says what was
// awaited: LAB_WAIT(tap_has(tap, "192.0.2.53/32"), "the prefix to be announced", 5000).
#define LAB_WAIT(condition, what, timeout_ms)                                                      \
    do {                                                                                           \
        uint64_t lab_begin_ns = lab_now_ns();                                                      \
        while (!(condition)) {                                                                     \
            lab_wait_step(lab_begin_ns, (timeout_ms), (what), #condition, __FILE__, __LINE__);     \
        }                                                                                          \
    } while (0)
void lab_wait_step(uint64_t begin_ns, uint64_t timeout_ms, const char *what, const char *condition,
                   const char *file, int line);

// Sending on this socket, and connecting it, take no longer than that.
void lab_bound(int fd, unsigned timeout_ms);

// Fails the running test; outside of one, prints the logs and exits with 1.
__attribute__((format(printf, 1, 2), noreturn)) void lab_fail(const char *format, ...);

// The last lines of every log, to stderr.
void lab_dump(void);
