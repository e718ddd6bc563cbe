"""Images on disk, and drawn ones, as batches: the room whose dependency is files."""

from vitcli.data.augment import Augment as Augment
from vitcli.data.cats_dogs import CatsDogsData as CatsDogsData
from vitcli.data.folder import FolderData as FolderData
from vitcli.data.images import open_image as open_image
from vitcli.data.listing import Listing as Listing
from vitcli.data.manifest import ManifestData as ManifestData
from vitcli.data.module import ImageData as ImageData
from vitcli.data.picture import Picture as Picture
from vitcli.data.picture import UnreadableImage as UnreadableImage
from vitcli.data.samples import Batch as Batch
from vitcli.data.shapes import ShapesData as ShapesData
from vitcli.data.unlabelled import UnlabelledData as UnlabelledData
