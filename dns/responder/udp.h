// One thread that answers on one UDP socket: recvmmsg, a response to each, sendmmsg.
//
// Nobody gets an answer to what was sent to a broadcast or multicast address, from port 0 or that
// of echo, daytime, chargen or time, or in more than 4096 octets: no resolver asks like that.
#pragma once

#include "dns/responder/counters.h"
#include "dns/responder/publish.h"
#include "dns/responder/rrl.h"

struct udp_worker;

// Runs a thread on socket (bound, blocking; taken over in any case). wildcard: the socket's address
// is the unspecified one, so that each answer must be told from which address to go (RFC 3542
// section 6.1, IP_PKTINFO). inherited: systemd has the socket open too, and gives it to the next
// popgated, so that nothing is done to it that can't be undone; its thread looks from time to time
// whether it is to end. rrl is that of all workers. NULL and errno when it can't be had.
struct udp_worker *udp_worker_start(int socket, bool wildcard, bool inherited,
                                    struct publisher *publisher, struct rrl *rrl);

const struct dns_counters *udp_worker_counters(const struct udp_worker *worker);

// It answers what the socket has received already, closes it and ends; this does not wait for it.
void udp_worker_stop(struct udp_worker *worker);
bool udp_worker_ended(struct udp_worker *worker);

// Only after udp_worker_stop(), and waits for the end.
void udp_worker_free(struct udp_worker *worker);
