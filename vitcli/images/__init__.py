"""Images in files: found, indexed, checked and decoded to upright RGB; no Lightning, torch only to resample."""

from vitcli.images.decode.encoded import open_image as open_image
from vitcli.images.decode.picture import Picture as Picture
from vitcli.images.decode.picture import UnreadableImage as UnreadableImage
from vitcli.images.index.listing import Listing as Listing
