// Where the responder listens of what the configuration wants: a port that another server has takes
// nothing else away. What could not be had is told, and tried again.
#pragma once

#include "controller/config/config.h"

#include "dns/responder/responder.h"

struct responding {
    struct endpoint *had; // that are listened to
    size_t count;
    char trouble[ERROR_MAX]; // why not to the others; empty: there are none
    char remark[ERROR_MAX];  // the last one of the responder's, in the log already
};

// On all that config wants. False and why not; then all is as it was.
bool responding_all(struct responding *responding, struct responder *responder,
                    const struct config *config, char error[ERROR_MAX]);

// On as much of it as can be had; what is listened to already stays untouched.
void responding_some(struct responding *responding, struct responder *responder,
                     const struct config *config);

void responding_clear(struct responding *responding);
