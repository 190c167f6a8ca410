// The values of [responder] and of [answer NAME]; see values.h.
#include "base/text.h"
#include "controller/config/values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define LISTEN_MAX  64
#define SERVERS_MAX 16
#define TTL_MAX     INT32_MAX // seconds (RFC 2181 section 8)

#define ATEXT                                                                                      \
    "!#$%&'*+-/=?^_`{|}~." // with letters and digits, what a mailbox may have (RFC 5322, 3.2.3)

enum reach listen_reach(const struct endpoint *address)
{
    if (address->address.ss_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&address->address)->sin6_addr;
        return IN6_IS_ADDR_UNSPECIFIED(in6) ? REACH_WILDCARD
               : IN6_IS_ADDR_LOOPBACK(in6)  ? REACH_HOST
                                            : REACH_ANY;
    }
    uint32_t in = ntohl(((const struct sockaddr_in *)&address->address)->sin_addr.s_addr);
    return in == INADDR_ANY ? REACH_WILDCARD : in >> 24 == 127 ? REACH_HOST : REACH_ANY;
}

bool listen_overlaps(const struct endpoint *a, const struct endpoint *b)
{
    return a->address.ss_family == b->address.ss_family && endpoint_port(a) == endpoint_port(b) &&
           (listen_reach(a) == REACH_WILDCARD) != (listen_reach(b) == REACH_WILDCARD);
}

// Why nobody could listen there, or ask there; NULL: they could.
static const char *unfit(const struct endpoint *address)
{
    if (address->address.ss_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&address->address)->sin6_addr;
        return IN6_IS_ADDR_V4MAPPED(in6)    ? "an IPv4 address in disguise; write it as such"
               : IN6_IS_ADDR_LINKLOCAL(in6) ? "link-local, of one link only"
               : IN6_IS_ADDR_MULTICAST(in6) ? "multicast"
                                            : NULL;
    }
    uint32_t in = ntohl(((const struct sockaddr_in *)&address->address)->sin_addr.s_addr);
    return IN_MULTICAST(in) ? "multicast" : in == INADDR_BROADCAST ? "broadcast" : NULL;
}

int value_listen(const char *word, void *field, char error[ERROR_MAX])
{
    struct config *config = OWNER(field, struct config, responder.listen);
    struct endpoint endpoint;
    if (endpoint_parse(word, true, &endpoint, error) != 0) {
        return -1;
    }
    struct endpoint address = {.address = endpoint.address, .length = endpoint.length};
    if (unfit(&address) != NULL) {
        return error_say(error, "%.80s can't be listened on: it is %s", word, unfit(&address));
    }
    for (size_t i = 0; i < config->responder.listen_count; i++) {
        const struct endpoint *other = &config->responder.listen[i];
        if (other->length == address.length &&
            memcmp(&other->address, &address.address, address.length) == 0) {
            return error_say(error, "%.80s is here twice", word);
        }
        if (listen_overlaps(other, &address)) {
            return error_say(error,
                             "%.80s and the wildcard (0.0.0.0 or [::]) of its port exclude each "
                             "other: name the wildcard alone, or each address",
                             listen_reach(&address) == REACH_WILDCARD ? "an address" : word);
        }
    }
    if (config->responder.listen_count == LISTEN_MAX) {
        return error_say(error, "more than %d addresses", LISTEN_MAX);
    }
    return list_append(&config->responder.listen, &config->responder.listen_count, &address,
                       sizeof address, error);
}

static bool is_ipv4(const char *text)
{
    char address[INET_ADDRSTRLEN + 1];
    struct in_addr in;
    size_t length = strlen(text);
    if (length >= sizeof address) {
        return false;
    }
    memcpy(address, text, length + 1);
    if (length > 0 && address[length - 1] == '.') {
        address[length - 1] = '\0';
    }
    return inet_pton(AF_INET, address, &in) == 1;
}

const char *domain_mistake(const char *text, bool wildcard)
{
    struct in6_addr in6;
    if (is_ipv4(text) || inet_pton(AF_INET6, text, &in6) == 1) {
        return "it is an IP address, and a name is wanted";
    }
    if (wildcard && text[0] == '*' && (text[1] == '.' || text[1] == '\0')) {
        text++;
    }
    for (; *text; text++) {
        if ((unsigned char)*text >= 0x80) {
            return "it is not ASCII: write it as the DNS has it (xn--...)";
        }
        if (*text == '*') {
            return wildcard ? "an asterisk can only be the whole leftmost label"
                            : "an asterisk has no place here";
        }
        if (*text == '\\' && text[1]) {
            text++; // whoever escapes means it
        } else if (strchr(LETTERS DIGITS "-_.", *text) == NULL) {
            return "only letters, digits, - and _ are in names (\\DDD if you mean another octet)";
        }
    }
    return NULL;
}

static int parse_name(const char *text, struct dns_name *out, char *error)
{
    const char *mistake = domain_mistake(text, false);
    mistake = mistake != NULL ? mistake : dns_name_parse(text, out);
    if (mistake != NULL) {
        error_say(error, "\"%.80s\" is not a domain name: %s", text, mistake);
        return -1;
    }
    return 0;
}

int value_server(const char *word, void *field, char error[ERROR_MAX])
{
    struct config *config = OWNER(field, struct config, responder.ns);
    struct dns_name name;
    if (parse_name(word, &name, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < config->responder.ns_count; i++) {
        if (dns_name_equal(&config->responder.ns[i], &name)) {
            return error_say(error, "%.80s is here twice", word);
        }
    }
    if (config->responder.ns_count == SERVERS_MAX) {
        return error_say(error, "more than %d servers", SERVERS_MAX);
    }
    return list_append(&config->responder.ns, &config->responder.ns_count, &name, sizeof name,
                       error);
}

int value_zone(const char *value, void *field, char error[ERROR_MAX])
{
    struct dns_name name;
    if (parse_name(value, &name, error) != 0) {
        return -1;
    }
    if (name.length == 1) {
        return error_say(error, "a PoP does not answer for the root");
    }
    if (name.length + 1 + DNS_LABEL_MAX > DNS_NAME_MAX) {
        return error_say(error, "\"%.80s\" is so long that there is no room for names below it",
                         value);
    }
    memcpy(field, &name, sizeof name);
    return 0;
}

// "dns.team@example.net" or "dns\.team.example.net" (RFC 1035 section 8).
int value_mailbox(const char *value, void *field, char error[ERROR_MAX])
{
    char text[DNS_NAME_TEXT_MAX];
    size_t used = 0;
    const char *at = strchr(value, '@');
    bool sound = true;
    for (const char *from = value; at != NULL && from < at && used + 3 < sizeof text; from++) {
        sound = sound && strchr(LETTERS DIGITS ATEXT, *from) != NULL;
        if (strchr(LETTERS DIGITS "-_", *from) == NULL) {
            text[used++] = '\\';
        }
        text[used++] = *from;
    }
    if (!sound || at == value || strlen(value) + used + 2 > sizeof text) {
        return error_say(error, "\"%.80s\" is not a mailbox, e.g. dns@example.net", value);
    }
    snprintf(text + used, sizeof text - used, "%s%s", at != NULL ? "." : "",
             at != NULL ? at + 1 : value);
    struct dns_name name;
    if (parse_name(text, &name, error) != 0) {
        return -1;
    }
    memcpy(field, &name, sizeof name);
    return 0;
}

int value_ttl(const char *value, void *field, char error[ERROR_MAX])
{
    uint64_t seconds;
    uint64_t ms;
    if (!number_parse(value, strlen(value), TTL_MAX, &seconds)) {
        if (!duration_parse(value, &ms) || ms % 1000 != 0 || ms / 1000 > TTL_MAX) {
            return error_say(
                error,
                "\"%.80s\" is neither seconds nor a duration in whole seconds, of up to "
                "%d s (RFC 2181)",
                value, TTL_MAX);
        }
        seconds = ms / 1000;
    }
    uint32_t ttl_s = (uint32_t)seconds;
    memcpy(field, &ttl_s, sizeof ttl_s);
    return 0;
}
