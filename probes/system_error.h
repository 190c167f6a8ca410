// What a system error means: is it about the service, or about ourselves (design, promise 2)?
//
// An error is a negative number, errno's or libuv's: on Linux they are the same.
#pragma once

#include "probes/finding.h"

// Is this error about us rather than about the service?
bool probe_error_is_ours(int error);

// What a socket's pending error means: it came over the network, not from the call that found it. A
// router's or a firewall's ICMPv6 "administratively prohibited" reads EACCES then, and a "too big"
// EMSGSIZE: neither is ours, so both are UV_EHOSTUNREACH, as ICMPv4's "prohibited" is.
int probe_error_from_afar(int error);

// Trouble of our own (EMFILE, ENFILE, ENOMEM, ENOBUFS, EPERM, EACCES, EADDRNOTAVAIL, EAFNOSUPPORT
// ...) is `unknown`, anything else is `fail`. attempted says what was tried, e.g. "connect to
// 192.0.2.1:53".
void finding_error(struct finding *out, int error, const char *attempted);
