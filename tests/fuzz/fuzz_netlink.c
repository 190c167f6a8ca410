// The kernel's messages about sockets and addresses: whatever is in them, nothing beyond them is
// read. (They come from the kernel; this guards against our own mistakes of length.)
#include "probes/address_message.h"
#include "probes/udp_watch.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[ERROR_MAX];
    struct endpoint wanted[2], gone;
    if (size < sizeof(struct nlmsghdr)) {
        return 0;
    }
    // As probes/netlink.c hands it over: its length is what is there.
    struct nlmsghdr *message = malloc(size);
    if (message == NULL) {
        abort();
    }
    memcpy(message, data, size);
    message->nlmsg_len = (uint32_t)size;
    if (endpoint_parse("192.0.2.53:53", true, &wanted[0], error) < 0 ||
        endpoint_parse("[2001:db8::53]:53", true, &wanted[1], error) < 0) {
        abort();
    }
    for (size_t i = 0; i < 2; i++) {
        (void)address_in_message(message, &wanted[i]);
        if (udp_watch_parse(message, &gone)) {
            (void)udp_watch_concerns(&gone, &wanted[i]);
        }
    }
    free(message);
    return 0;
}
