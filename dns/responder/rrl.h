// Response rate limiting: how many answers a client's prefix (IPv4: /24, IPv6: /56) gets in a
// second over UDP, where its address may be forged. A table of fixed size for one thread: no locks,
// no allocation, keyed by a secret so that nobody can choose whom he collides with.
//
// When the table has no room for another prefix, the one forgotten is that with most answers left
// among the few that could be: who floods stays known, however many addresses are forged besides.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RRL_RATE_MAX 4000000 // a higher rate counts as this one

struct rrl;

enum rrl_verdict { RRL_ANSWER, RRL_SLIP, RRL_DROP };

// NULL when out of memory, or without random bytes.
struct rrl *rrl_new(void);
void rrl_free(struct rrl *rrl);

// Accounts for one answer to client. rate is in answers a second (0: no limit), with a second's
// worth of them as burst; of those over it, every slip-th is to be sent with TC (0: none).
enum rrl_verdict rrl_check(struct rrl *rrl, const struct sockaddr *client, uint64_t now_ms,
                           uint32_t rate, uint32_t slip);
