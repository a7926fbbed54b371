/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a build with AddressSanitizer cannot test. Behind cmocka.h. */
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED_ADDRESS 1
#endif
#endif

static inline void not_sanitized(const char *why)
{
#ifdef SANITIZED_ADDRESS
    print_message("built with AddressSanitizer: %s\n", why);
    skip();
#endif
}

/* It asks for the signal stack before a function that does not return, _exit among them. */
#define NO_SUCH_FILTER "it makes a call that the filter of this test does not allow"
