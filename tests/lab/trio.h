// The three services of a PoP, as they are run for real: unbound for DNS, nginx for TLS, Glewlwyd
// for tokens. Each is behind prefixes of its own on the router's lo, has a probe of its own kind,
// and can be broken in a way that no other probe could see.
#pragma once

#include "tests/lab/glewlwyd.h"
#include "tests/lab/pki.h"
#include "tests/lab/pop.h"

#define TRIO_WEB_V4   "192.0.2.80/32"
#define TRIO_LOGIN_V4 "192.0.2.90/32"

// dns: POP_V4 and POP_V6, on port 53; web: TRIO_WEB_V4, port 443; login: TRIO_LOGIN_V4, port 80.
enum trio_service { TRIO_DNS, TRIO_WEB, TRIO_LOGIN, TRIO_SERVICES };

// What a broken one gives.
#define TRIO_WRONG_V4     "198.51.100.66"
#define TRIO_WRONG_REGION "eu-west"

// Their names, each one's (first) prefix, and its (first) probe.
extern const char *const trio_names[TRIO_SERVICES], *const trio_prefixes[TRIO_SERVICES],
                                                        *const trio_probes[TRIO_SERVICES];

struct trio {
    struct pop *pop; // dns is its unbound
    struct lab_process *nginx;
    struct lab_glewlwyd *glewlwyd;
    struct lab_cert *authority;
};

// Starts nginx and Glewlwyd on the router, with a certificate and a key made on the spot, and waits
// till they serve.
struct trio trio_make(struct pop *pop);

// The sections of the probes and services. Each probe gets the lines of probe_keys, each service
// those of service_keys. ports: where the probes look, NULL for where the services are. Returns
// out.
struct trio_ports {
    uint16_t of[TRIO_SERVICES];
};
const char *trio_sections(const struct trio *trio, const struct trio_ports *ports,
                          const char *probe_keys, const char *service_keys,
                          char out[LAB_CONFIG_MAX]);

// What its clients get from now on, while the service itself goes on running: addresses of another
// host, a certificate that expired three days ago, tokens for another region; or what they should.
void trio_break(struct trio *trio, enum trio_service service);
void trio_mend(struct trio *trio, enum trio_service service);

// All of its processes: killed with SIGKILL, started again after that, stopped, continued.
void trio_kill(struct trio *trio, enum trio_service service);
void trio_revive(struct trio *trio, enum trio_service service);
void trio_stop(struct trio *trio, enum trio_service service);
void trio_continue(struct trio *trio, enum trio_service service);
