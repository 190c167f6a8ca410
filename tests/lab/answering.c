// See answering.h.
#include "tests/lab/answering.h"

#include <string.h>

#define WEB_PORT   8080
#define SPARE_PORT 8081

const char *const answering_ways[] = {"UDP over IPv4", "UDP over IPv6", "TCP over IPv4",
                                      "TCP over IPv6"};

struct answering answering_make(void)
{
    struct answering answering = {.pop = pop_make(&(struct pop_options){.bare = true})};
    struct lab_node *node = answering.pop.node, *client = answering.pop.upstream;

    lab_address_add(node, ANSWERING_V4 "/32 " ANSWERING_V6 "/128");
    lab_ip(client, "route add " ANSWERING_V4 " via 10.0.1.1");
    lab_ip(client, "route add " ANSWERING_V6 " via 2001:db8:1::1");
    answering.web = lab_tcp_server_start(node, "127.0.0.1", WEB_PORT, LAB_TCP_SILENT, NULL);
    answering.spare = lab_tcp_server_start(node, "127.0.0.1", SPARE_PORT, LAB_TCP_SILENT, NULL);
    for (enum answering_way i = 0; i < ANSWERING_WAYS; i++) {
        answering.ways[i] = (struct lab_server){
            .from = client,
            .address = i == WAY_UDP4 || i == WAY_TCP4 ? ANSWERING_V4 : ANSWERING_V6,
            .tcp = i >= WAY_TCP4,
        };
    }
    return answering;
}

void answering_run(struct answering *answering, const char *sections)
{
    static const struct lab_query identity = {
        .name = "id.server", .type = DNS_TXT, .class = DNS_CLASS_CH};

    pop_run(&answering->pop, sections);
    LAB_WAIT(lab_answers(&answering->ways[WAY_UDP4], &identity), "the responder to answer",
             POP_WAIT_MS);
    if (strstr(sections, "[service web]") != NULL) {
        LAB_WAIT(tap_has(answering->pop.tap, ANSWERING_WEB_V4), "the service to be announced",
                 POP_WAIT_MS);
    }
}
