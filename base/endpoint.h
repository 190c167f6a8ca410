// Numeric addresses with ports, as the configuration has them.
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

// A numeric address and port; length 0 when not set.
struct endpoint {
    struct sockaddr_storage address;
    socklen_t length;
};

// Parses "192.0.2.1:53", "[2001:db8::1]:53"; with_port false: a bare address. 0 or -1 with a
// message. Numeric only, so that no check ever waits for a resolver.
int endpoint_parse(const char *text, bool with_port, struct endpoint *out, char error[ERROR_MAX]);

// Writes the address as endpoint_parse reads it (the port only if there is one); returns out.
#define ENDPOINT_TEXT_MAX 64
const char *endpoint_text(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_MAX]);

// In host order; it lies at the same place in both families.
uint16_t endpoint_port(const struct endpoint *endpoint);

// 127.0.0.0/8, ::1, and the former written as IPv6.
bool address_is_loopback(const struct sockaddr_storage *address);
