"""Lightning data modules: images on disk, and drawn ones, as batches."""

from vitcli.data.augment.augment import Augment as Augment
from vitcli.data.batches.samples import Batch as Batch
from vitcli.data.layouts.cats_dogs import CatsDogsData as CatsDogsData
from vitcli.data.layouts.folder import FolderData as FolderData
from vitcli.data.layouts.manifest import ManifestData as ManifestData
from vitcli.data.layouts.parquet import ParquetData as ParquetData
from vitcli.data.layouts.shapes import ShapesData as ShapesData
from vitcli.data.layouts.shards import ShardsData as ShardsData
from vitcli.data.layouts.unlabelled import UnlabelledData as UnlabelledData
from vitcli.data.module import ImageData as ImageData
from vitcli.images import Listing as Listing
from vitcli.images import Picture as Picture
from vitcli.images import UnreadableImage as UnreadableImage
from vitcli.images import open_image as open_image
