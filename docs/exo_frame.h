/* The open exoskeleton frame, version 1: encoder in C99. docs/exoskeleton-frame.md is the specification.
 *
 * No memory of its own, no allocation, no I/O. Fill a structure (EXO_NONE, a NaN, for what is not measured), call the
 * encoder, and send what it wrote: as it is over Bluetooth, UDP and CAN FD (padded, exo_can_fd_length), or through
 * exo_serial_frame over a serial port. Licence: Apache-2.0, as the project.
 */
#ifndef EXO_FRAME_H
#define EXO_FRAME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define EXO_VERSION 1
#define EXO_NONE NAN
#define EXO_MAX_JOINTS 4
#define EXO_MAX_PART 58    /* bytes of a part */
#define EXO_MAX_SERIAL 62  /* of a part over a serial port: CRC, COBS, end */

enum exo_joint_id { EXO_HIP = 0, EXO_KNEE = 1, EXO_ANKLE = 2, EXO_ELBOW = 3 };
enum exo_gait { EXO_GAIT_UNKNOWN = 0, EXO_STANCE = 1, EXO_SWING = 2 };
enum exo_side { EXO_LEFT = 0, EXO_RIGHT = 1 };
enum exo_fault {
    EXO_FAULT_MOTOR_HOT = 1u << 0,   EXO_FAULT_BATTERY_LOW = 1u << 1,  EXO_FAULT_ENCODER = 1u << 2,
    EXO_FAULT_TORQUE = 1u << 3,      EXO_FAULT_FOOT_FORCE = 1u << 4,   EXO_FAULT_IMU = 1u << 5,
    EXO_FAULT_LINK = 1u << 6,        EXO_FAULT_CURRENT = 1u << 7,      EXO_FAULT_JOINT_STOP = 1u << 8,
    EXO_FAULT_OVERRUN = 1u << 9      /* 16 to 31 are the maker's */
};

typedef struct {
    uint8_t joint;       /* enum exo_joint_id */
    double angle;        /* degrees, positive in flexion */
    double velocity;     /* degrees a second */
    double torque;       /* measured, Nm, positive towards flexion */
    double command;      /* commanded, Nm */
    double interaction;  /* between limb and frame, Nm */
    double temperature;  /* of the motor, degrees Celsius */
} exo_joint;

typedef struct {
    uint8_t side;        /* enum exo_side */
    uint8_t last;        /* 1 for the last part of a sample */
    uint16_t counter;    /* of samples */
    uint32_t time_us;    /* device clock at the sample */
    uint8_t gait;        /* enum exo_gait */
    double phase;        /* share of the stride that is over, 0 to 1, or EXO_NONE */
    uint8_t n_joints;    /* up to EXO_MAX_JOINTS */
    exo_joint joints[EXO_MAX_JOINTS];
} exo_limb;

typedef struct {
    uint16_t counter;
    uint32_t time_us;
    uint8_t stopped, powered, charging; /* 0 or 1 */
    uint8_t joints_left, joints_right;  /* bit (1 << enum exo_joint_id) each */
    uint16_t rate_hz;
    uint8_t mode;                       /* 255 for none */
    double assistance, body_weight_support, battery; /* per cent, or EXO_NONE */
    double battery_voltage;             /* volts, or EXO_NONE */
    uint32_t faults;                    /* enum exo_fault */
    uint64_t serial;                    /* 0 for none */
} exo_device;

static inline void exo_put16(uint8_t *out, uint16_t value) {
    out[0] = (uint8_t)(value & 0xFF);
    out[1] = (uint8_t)(value >> 8);
}

static inline void exo_put32(uint8_t *out, uint32_t value) {
    exo_put16(out, (uint16_t)(value & 0xFFFF));
    exo_put16(out + 2, (uint16_t)(value >> 16));
}

/* Steps of a unit, halves away from zero, held at the ends; -32768 for none. */
static inline void exo_put_scaled(uint8_t *out, double value, double steps) {
    int32_t count = -32768;
    if (!isnan(value)) {
        double away = floor(fabs(value) * steps + 0.5);
        count = away > 32767.0 ? 32767 : (int32_t)away;
        if (value < 0) count = -count;
    }
    exo_put16(out, (uint16_t)(int16_t)count);
}

/* 0 to most; 255 for none. */
static inline uint8_t exo_byte(double value, double steps, uint8_t most) {
    if (isnan(value)) return 255;
    double count = floor(value * steps + 0.5);
    return count < 0 ? 0 : count > most ? most : (uint8_t)count;
}

static inline void exo_put_head(uint8_t *out, uint8_t kind, uint8_t what, uint16_t counter, uint32_t time_us) {
    out[0] = (uint8_t)(EXO_VERSION << 4 | kind);
    out[1] = what;
    exo_put16(out + 2, counter);
    exo_put32(out + 4, time_us);
}

/* Write a limb part to out (EXO_MAX_PART bytes); return its length, 0 for too many joints. */
static inline size_t exo_encode_limb(const exo_limb *limb, uint8_t *out) {
    if (limb->n_joints > EXO_MAX_JOINTS) return 0;
    exo_put_head(out, 1, (uint8_t)(limb->n_joints | (limb->last ? 0x08 : 0) | (limb->side == EXO_RIGHT ? 0x80 : 0)),
                 limb->counter, limb->time_us);
    out[8] = limb->gait;
    out[9] = exo_byte(limb->phase, 200.0, 200);
    uint8_t *at = out + 10;
    for (uint8_t k = 0; k < limb->n_joints; k++, at += 12) {
        const exo_joint *joint = &limb->joints[k];
        double celsius = floor(joint->temperature + 0.5);
        at[0] = joint->joint;
        at[1] = (uint8_t)(int8_t)(isnan(celsius) ? -128 : celsius > 127 ? 127 : celsius < -127 ? -127 : celsius);
        exo_put_scaled(at + 2, joint->angle, 100.0);
        exo_put_scaled(at + 4, joint->velocity, 10.0);
        exo_put_scaled(at + 6, joint->torque, 100.0);
        exo_put_scaled(at + 8, joint->command, 100.0);
        exo_put_scaled(at + 10, joint->interaction, 100.0);
    }
    return (size_t)(at - out);
}

/* Write a device part to out (EXO_MAX_PART bytes); return its length, 32. */
static inline size_t exo_encode_device(const exo_device *device, uint8_t *out) {
    exo_put_head(out, 2,
                 (uint8_t)((device->stopped ? 1 : 0) | (device->powered ? 2 : 0) | (device->charging ? 4 : 0)),
                 device->counter, device->time_us);
    out[8] = device->joints_left;
    out[9] = device->joints_right;
    exo_put16(out + 10, device->rate_hz);
    out[12] = device->mode;
    out[13] = exo_byte(device->assistance, 1.0, 100);
    out[14] = exo_byte(device->body_weight_support, 1.0, 100);
    out[15] = exo_byte(device->battery, 1.0, 100);
    double volts = floor(device->battery_voltage * 100.0 + 0.5);
    exo_put16(out + 16, isnan(volts) ? 65535 : volts < 0 ? 0 : volts > 65534 ? 65534 : (uint16_t)volts);
    exo_put16(out + 18, 0);
    exo_put32(out + 20, device->faults);
    exo_put32(out + 24, (uint32_t)(device->serial & 0xFFFFFFFFu));
    exo_put32(out + 28, (uint32_t)(device->serial >> 32));
    return 32;
}

/* CRC-16/CCITT-FALSE. */
static inline uint16_t exo_crc16(const uint8_t *data, size_t n) {
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint16_t)(data[i] << 8);
        for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* Write a part of n bytes as it goes over a serial port (EXO_MAX_SERIAL bytes): CRC, COBS and the zero at the end;
 * return the length. */
static inline size_t exo_serial_frame(const uint8_t *part, size_t n, uint8_t *out) {
    uint16_t crc = exo_crc16(part, n);
    size_t code = 0, end = 1; /* where the length of the present run goes, and the next byte */
    for (size_t i = 0; i < n + 2; i++) {
        uint8_t byte = i < n ? part[i] : i == n ? (uint8_t)(crc & 0xFF) : (uint8_t)(crc >> 8);
        if (byte) {
            out[end++] = byte;
        } else {
            out[code] = (uint8_t)(end - code);
            code = end++;
        }
    }
    out[code] = (uint8_t)(end - code); /* parts are shorter than 254 bytes: no run is too long */
    out[end++] = 0;
    return end;
}

/* The length that a CAN FD frame with n bytes of a part has; fill up with zeros. */
static inline size_t exo_can_fd_length(size_t n) {
    static const uint8_t lengths[] = {8, 12, 16, 20, 24, 32, 48, 64};
    for (size_t i = 0; i < sizeof lengths; i++)
        if (lengths[i] >= n) return lengths[i];
    return 0;
}

#endif
