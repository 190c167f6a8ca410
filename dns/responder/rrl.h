// Response rate limiting: how many answers a client's prefix (IPv4: /24, IPv6: /56) gets in a
// second over UDP, where its address may be forged. One table of fixed size for all threads and all
// addresses that are listened on, so that a prefix has one budget whichever of them it reaches: no
// locks, no allocation, keyed by a secret so that nobody can choose whom he collides with. What is
// over the limit is only read, so that a flood's threads don't fight for it.
//
// When the table has no room for another prefix, the one forgotten is that with most answers left
// among the few that could be: who floods stays known, however many addresses are forged besides.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RRL_RATE_MAX 1000000 // a higher rate counts as this one

struct rrl;

enum rrl_verdict { RRL_ANSWER, RRL_SLIP, RRL_DROP };

// NULL when out of memory, or without random bytes.
struct rrl *rrl_new(void);
void rrl_free(struct rrl *rrl);

// Accounts for one answer to client, from any thread; now_ms is monotonic, and may be another's of
// up to a second ago. rate is in answers a second (0: no limit), with a second's worth of them as
// burst; of those over it, one in slip is to be sent with TC (0: none), as the dice (any number, a
// new one each time) have it.
enum rrl_verdict rrl_check(struct rrl *rrl, const struct sockaddr *client, uint64_t now_ms,
                           uint32_t rate, uint32_t slip, uint32_t dice);
