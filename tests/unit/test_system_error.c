// Errors of the system's: which are our own, and which the service's.
#include "probes/system_error.h"

#include "tests/test.h"

#include <sys/socket.h>
#include <uv.h>

TEST(our_own_errors_are_told_from_the_services)
{
    static const int ours[] = {
        UV_EMFILE, UV_ENFILE,        UV_ENOMEM,       UV_ENOBUFS, UV_EPERM,
        UV_EACCES, UV_EADDRNOTAVAIL, UV_EAFNOSUPPORT, UV_ENOSPC}; // epoll_ctl's, for too many
                                                                  // watches
    static const int theirs[] = {UV_ECONNREFUSED, UV_ECONNRESET,   UV_EPIPE,
                                 UV_ETIMEDOUT,    UV_EHOSTUNREACH, UV_ENETUNREACH};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        assert_true(probe_error_is_ours(ours[i]));
    }
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        assert_false(probe_error_is_ours(theirs[i]));
    }
}

TEST(what_a_router_or_firewall_afar_forbids_is_no_permission_of_ours)
{
    static const int icmp[] = {UV_EACCES, UV_EMSGSIZE}; // as a socket's pending error
    for (size_t i = 0; i < sizeof icmp / sizeof *icmp; i++) {
        assert_true(probe_error_is_ours(icmp[i]));
        assert_false(probe_error_is_ours(probe_error_from_afar(icmp[i])));
    }
    assert_int_equal(probe_error_from_afar(UV_ENOBUFS), UV_ENOBUFS);
    assert_int_equal(probe_error_from_afar(UV_ECONNREFUSED), UV_ECONNREFUSED);
    assert_int_equal(probe_error_from_afar(0), 0);
}
