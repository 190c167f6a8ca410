// The kernel's list of addresses, read as the `address` probe needs it. Pure.
#pragma once

#include "base/endpoint.h"

#include <linux/netlink.h>

enum address_state {
    ADDRESS_MISSING,
    ADDRESS_DOWN,      // its interface is: the kernel answers nobody there
    ADDRESS_FAILED,    // duplicate address detection found another owner (RFC 4862 section 5.4.5)
    ADDRESS_TENTATIVE, // it is still under way: the address does not answer yet
    ADDRESS_READY,
};

// What an RTM_NEWADDR or RTM_DELADDR message says of address: ADDRESS_MISSING if it is about
// another.
enum address_state address_in_message(const struct nlmsghdr *message,
                                      const struct endpoint *address);
