"""Many gateways from one desk: enrolment, revocation, roll-outs in rings, and what the fleet page shows.

Comes in: what gateways say of themselves, and what an administrator wants. Goes out: certificates, signed plans,
bundles. It knows nothing of patients, devices or measurements, and opens no port: everybody calls the broker.
"""
