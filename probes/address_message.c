// See address_message.h.
#include "probes/address_message.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

enum address_state address_in_message(const struct nlmsghdr *message,
                                      const struct endpoint *address)
{
    const struct ifaddrmsg *body = NLMSG_DATA(message);
    bool v6 = address->address.ss_family == AF_INET6;
    const void *wanted =
        v6 ? (const void *)&((const struct sockaddr_in6 *)&address->address)->sin6_addr
           : (const void *)&((const struct sockaddr_in *)&address->address)->sin_addr;
    size_t size = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
    if ((message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR) ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof *body) ||
        body->ifa_family != address->address.ss_family) {
        return ADDRESS_MISSING;
    }
    // Signed: RTA_NEXT() goes below 0 where the last attribute lacks its padding.
    int left = (int)(message->nlmsg_len - NLMSG_LENGTH(sizeof *body));
    // On a point-to-point interface IFA_ADDRESS is the other end's, and IFA_LOCAL ours.
    bool has_local = false, local = false, other = false;
    for (const struct rtattr *attribute = IFA_RTA(body); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left)) {
        bool same =
            RTA_PAYLOAD(attribute) == size && memcmp(RTA_DATA(attribute), wanted, size) == 0;
        has_local = has_local || attribute->rta_type == IFA_LOCAL;
        local = local || (attribute->rta_type == IFA_LOCAL && same);
        other = other || (attribute->rta_type == IFA_ADDRESS && same);
    }
    if (!(has_local ? local : other)) {
        return ADDRESS_MISSING;
    }
    return body->ifa_flags & IFA_F_DADFAILED ? ADDRESS_FAILED
           : (body->ifa_flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE
               ? ADDRESS_TENTATIVE
               : ADDRESS_READY;
}
