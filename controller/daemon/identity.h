// What the responder says at this moment: the configuration's zone and limits, the cookie secrets,
// and of each service what the core has decided.
//
// Promises: whatever may fail for more than want of memory, and whatever takes time, is done in
// identity_new(), from any thread, so that a reload can try it before anything is changed;
// identity_snapshot() allocates nothing while nothing has changed.
#pragma once

#include "controller/core/core.h"

#include "dns/responder/publish.h"
#include "dns/responder/responder.h"

struct identity;

// Of config, which must outlive it; reads the file of cookie secrets. former (may be NULL) hands on
// the secret that it made up, so that a reload leaves clients their cookies. NULL and what could
// not be had.
struct identity *identity_new(const struct config *config, const struct identity *former,
                              char error[ERROR_MAX]);
void identity_free(struct identity *identity); // from any thread

// At a reload, beside core_take_over(): what former, which it was made with, said of services that
// there are still needs no writing anew.
void identity_take_over(struct identity *identity, const struct identity *former);

// What is to be published, if it is not what the last one said: the caller's. NULL: it is, there is
// no responder, or no memory (then the next call tries again). core is of the same configuration.
struct dns_snapshot *identity_snapshot(struct identity *identity, const struct core *core,
                                       uint64_t now_ms, uint64_t wall_ms);

// Whether the file of cookie secrets, if config has one, can be read and understood. An error says
// why not; whoever is not popgated may be the only one who can't read it.
enum secrets_found { SECRETS_SOUND, SECRETS_UNREADABLE, SECRETS_WRONG };
enum secrets_found identity_check_secrets(const struct config *config, char error[ERROR_MAX]);

// One line for the log about a responder: zone, cookie secret, addresses. Returns out.
#define IDENTITY_TEXT_MAX 2048
const char *identity_text(const struct config *config, char out[IDENTITY_TEXT_MAX]);

// Where config has the responder listen, and with which limits; points into config.
struct responder_conf identity_listen(const struct config *config);

// What a name that follows the service says now.
enum dns_state identity_state(const struct core_service *service);
