"""Where BlueTrace lives on the air: OpenTrace's sample for Android.

Builds of OpenTrace differ in their UUIDs, its own for iPhones from its own for Android too.
"""

from typing import Final

from tracetogether.bluetrace.handshake import CHARACTERISTIC_UUID, COMPANY_ID, SERVICE_UUID
from tracetogether.exchange import GattProfile

PROFILE: Final = GattProfile(SERVICE_UUID, CHARACTERISTIC_UUID, COMPANY_ID)
