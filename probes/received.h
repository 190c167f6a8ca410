// What a TCP socket has received, whoever reads it. Apart, because the kernel's header for it can't
// stand beside the one of the C library, which libuv's includes.
#pragma once

#include <stdint.h>

// Bytes of the peer's that arrived in order so far; 0 if fd is no TCP socket.
uint64_t tcp_received(int fd);
