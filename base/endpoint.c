#include "base/endpoint.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// No address begins with such a letter, or has it in it.
static bool looks_like_a_name(const char *text)
{
    return text[strcspn(text, "ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ")] != '\0';
}

static int not_an_endpoint(const char *text, bool with_port, char *error)
{
    const char *wanted = with_port ? "address:port, e.g. 192.0.2.1:53 or [2001:db8::1]:53"
                                   : "an address, e.g. 192.0.2.1 or 2001:db8::1";
    snprintf(error, ERROR_MAX, "\"%.80s\" is not %s%s", text, wanted,
             looks_like_a_name(text) ? "; names are not looked up here" : "");
    return -1;
}

// Splits "address:port" at its end: copies the address, without brackets, and parses the port.
static bool split_port(const char *text, char address[INET6_ADDRSTRLEN], bool *v6, uint64_t *port)
{
    *v6 = text[0] == '[';
    const char *begin = *v6 ? text + 1 : text;
    const char *end = strchr(begin, *v6 ? ']' : ':');
    if (end == NULL || (size_t)(end - begin) >= INET6_ADDRSTRLEN) {
        return false;
    }
    memcpy(address, begin, (size_t)(end - begin));
    address[end - begin] = '\0';
    const char *colon = *v6 ? end + 1 : end;
    if (*colon != ':') {
        return false;
    }
    const char *rest = text_digits(colon + 1, port);
    return rest != NULL && *rest == '\0' && *port >= 1 && *port <= 65535;
}

static bool parse_address(const char *text, bool v6, uint16_t port, struct endpoint *out)
{
    struct endpoint parsed = {.length =
                                  v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)};
    if (v6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&parsed.address;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1) {
            return false;
        }
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&parsed.address;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        if (inet_pton(AF_INET, text, &in->sin_addr) != 1) {
            return false;
        }
    }
    *out = parsed;
    return true;
}

int endpoint_parse(const char *text, bool with_port, struct endpoint *out, char error[ERROR_MAX])
{
    char address[INET6_ADDRSTRLEN];
    uint64_t port = 0;
    bool v6;
    bool parsed;
    if (with_port) {
        parsed = split_port(text, address, &v6, &port) &&
                 parse_address(address, v6, (uint16_t)port, out);
    } else {
        parsed = parse_address(text, strchr(text, ':') != NULL, 0, out);
    }
    return parsed ? 0 : not_an_endpoint(text, with_port, error);
}

const char *endpoint_text(const struct endpoint *endpoint, char out[ENDPOINT_TEXT_MAX])
{
    char address[INET6_ADDRSTRLEN] = "";
    bool v6 = endpoint->address.ss_family == AF_INET6;
    uint16_t port;
    out[0] = '\0';
    if (endpoint->length == 0) {
        return out;
    }
    if (v6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&endpoint->address;
        inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof address);
        port = ntohs(in6->sin6_port);
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&endpoint->address;
        inet_ntop(AF_INET, &in->sin_addr, address, sizeof address);
        port = ntohs(in->sin_port);
    }
    if (port == 0) {
        snprintf(out, ENDPOINT_TEXT_MAX, "%s", address);
    } else {
        snprintf(out, ENDPOINT_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", address, (unsigned)port);
    }
    return out;
}

uint16_t endpoint_port(const struct endpoint *endpoint)
{
    return ntohs(((const struct sockaddr_in *)&endpoint->address)->sin_port);
}

bool address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == 127);
    }
    return false;
}
