/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test tells a program that runs with faulty.so: a page that both have mapped. */
#pragma once

#include <stdatomic.h>

enum faulty_call {
    FAULTY_WRITE, /* pwritev, pwrite */
    FAULTY_SHORT, /* the same write a part, and nothing is wrong */
    FAULTY_READ,  /* pread */
    FAULTY_SYNC,  /* fdatasync, fsync */
    FAULTY_OPEN,  /* openat */
    FAULTY_CUT,   /* ftruncate */
    FAULTY_ROOM,  /* fallocate */
    FAULTY_SEND,  /* send, sendmsg */
    FAULTY_ACCEPT,
    FAULTY_CALLS
};

struct faulty {
    atomic_int ahead_ms;    /* of the monotonic clock */
    atomic_int descriptors; /* what getrlimit says that it may have; 0: the truth */
    struct {
        atomic_int skip; /* calls that go well first */
        atomic_int left; /* calls that fail then */
        atomic_int code; /* errno */
        atomic_int seen; /* that failed */
    } calls[FAULTY_CALLS];
};
