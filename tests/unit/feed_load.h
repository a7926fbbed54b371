/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writers of a fed app under load, and the question that all of it is about: is every id that was acknowledged in both
 * zones, in the same order for each key, once in live, and twice in the other only where the feed says so?
 */
#pragma once

#include "feed_client.h"

#define WRITERS    6
#define WRITES_MAX 20000

struct writer {
    struct monitor *monitor;
    pthread_t thread;
    int key;
    atomic_bool *stop;
    uint32_t *acknowledged; /* ids, in order */
    size_t count, refused, broken;
    unsigned pause_ms; /* between two */
    struct test_client client;
    struct test_answer answer;
};

static inline void *write_on(void *context)
{
    struct writer *writer = context;
    char target[64], field[32];
    bool open = false;
    snprintf(field, sizeof field, "X-Key: k%d\r\n", writer->key);
    for (uint32_t id = 1; !*writer->stop && writer->count < WRITES_MAX; id++) {
        int8_t live = writer->monitor->live;
        if (!open)
            open = client_open(&writer->client, writer->monitor->door_ports[live >= 0 ? live : 0]);
        snprintf(target, sizeof target, "/load/%d/%u", writer->key, id);
        int status = open ? ask(&writer->client, &writer->answer, "POST", target, field, "payload") : 0;
        if (status == 200)
            writer->acknowledged[writer->count++] = id;
        else
            *(status ? &writer->refused : &writer->broken) += 1;
        if (status == 0 || has_field(&writer->answer, "Connection: close")) {
            client_end(&writer->client);
            open = false;
        }
        pause_ms(status == 200 ? (int)writer->pause_ms : 5);
    }
    if (open)
        client_end(&writer->client);
    return NULL;
}

static inline void load_begin(struct monitor *monitor, struct writer writers[WRITERS], atomic_bool *stop,
                              unsigned wait_ms)
{
    *stop = false;
    for (int i = 0; i < WRITERS; i++) {
        memset(&writers[i], 0, sizeof writers[i]);
        writers[i].monitor = monitor;
        writers[i].key = i;
        writers[i].stop = stop;
        writers[i].pause_ms = wait_ms;
        writers[i].acknowledged = calloc(WRITES_MAX, sizeof(uint32_t));
        pthread_create(&writers[i].thread, NULL, write_on, &writers[i]);
    }
}

static inline size_t load_end(struct writer writers[WRITERS], atomic_bool *stop)
{
    size_t sum = 0;
    *stop = true;
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        sum += writers[i].count;
    }
    return sum;
}

static inline size_t load_sum(const struct writer writers[WRITERS], size_t offset)
{
    size_t sum = 0;
    for (int i = 0; i < WRITERS; i++)
        sum += *(const size_t *)(const void *)((const char *)&writers[i] + offset);
    return sum;
}

static inline void load_free(struct writer writers[WRITERS])
{
    for (int i = 0; i < WRITERS; i++)
        free(writers[i].acknowledged);
}

/* --- the question ------------------------------------------------------------------------------------------------- */

struct tally {
    size_t missing;  /* acknowledged, and not there */
    size_t disorder; /* of those of a key: the first time of one comes after the first time of a later one */
    size_t again;    /* came once more */
};

static inline struct tally tally_zone(struct test_zone *zone, const struct writer writers[WRITERS])
{
    struct tally tally = {0};
    uint8_t *seen = calloc(WRITERS, WRITES_MAX * 4), *acknowledged = calloc(WRITERS, WRITES_MAX * 4);
    uint32_t newest[WRITERS] = {0};
    for (int i = 0; i < WRITERS; i++) {
        for (size_t j = 0; j < writers[i].count; j++)
            acknowledged[(size_t)i * WRITES_MAX * 4 + writers[i].acknowledged[j]] = 1;
    }
    pthread_mutex_lock(&zone->mutex);
    for (size_t i = 0; i < zone->count; i++) {
        int key;
        uint32_t id;
        if (sscanf(zone->log[i].target, "/load/%d/%u", &key, &id) != 2 || id >= WRITES_MAX * 4)
            continue;
        uint8_t *times = &seen[(size_t)key * WRITES_MAX * 4 + id];
        tally.again += *times > 0;
        /* One that was in doubt may come late: live had it from a role that is no more. */
        bool counts = *times == 0 && acknowledged[(size_t)key * WRITES_MAX * 4 + id];
        tally.disorder += counts && id < newest[key];
        if (counts && id > newest[key])
            newest[key] = id;
        *times = 1;
    }
    pthread_mutex_unlock(&zone->mutex);
    for (int i = 0; i < WRITERS; i++) {
        for (size_t j = 0; j < writers[i].count; j++)
            tally.missing += seen[(size_t)i * WRITES_MAX * 4 + writers[i].acknowledged[j]] == 0;
    }
    free(seen);
    free(acknowledged);
    return tally;
}
