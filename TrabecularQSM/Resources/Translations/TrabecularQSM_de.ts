<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>DICOMTrabecularQSMPlugin</name>
    <message>
        <source>Multi-echo scan</source>
        <translation>Multi-Echo-Aufnahme</translation>
    </message>
</context>
<context>
    <name>TrabecularQSM</name>
    <message>
        <source>Trabecular QSM</source>
        <translation>Trabekuläre QSM</translation>
    </message>
    <message>
        <source>Magnetic susceptibility, R2* and fat fraction of trabecular bone from a multi-echo gradient-echo scan: water–fat separation, background field removal and dipole inversion. To try it: TrabecularQSM phantom in the module Sample Data, then Apply here. For research only, not for diagnosis.</source>
        <translation>Magnetische Suszeptibilität, R2* und Fettanteil von trabekulärem Knochen aus einer Multi-Echo-Gradientenecho-Aufnahme: Wasser-Fett-Trennung, Entfernung des Hintergrundfelds und Dipolinversion. Zum Ausprobieren: TrabecularQSM phantom im Modul Sample Data, dann hier Anwenden. Nur für die Forschung, nicht zur Diagnose.</translation>
    </message>
    <message>
        <source>Apply first: bones are found in maps.</source>
        <translation>Zuerst anwenden: Die Knochen werden in den Karten gesucht.</translation>
    </message>
    <message>
        <source>Susceptibility mapping failed.</source>
        <translation>Die Berechnung der Suszeptibilität ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>The L-curve failed.</source>
        <translation>Die L-Kurve ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>Folder of a multi-echo scan</source>
        <translation>Ordner einer Multi-Echo-Aufnahme</translation>
    </message>
    <message>
        <source>File of a multi-echo scan</source>
        <translation>Datei einer Multi-Echo-Aufnahme</translation>
    </message>
    <message>
        <source>Scans (*.mat *.nii *.nii.gz *.dcm)</source>
        <translation>Aufnahmen (*.mat *.nii *.nii.gz *.dcm)</translation>
    </message>
    <message>
        <source>The scan could not be loaded.</source>
        <translation>Die Aufnahme konnte nicht geladen werden.</translation>
    </message>
    <message>
        <source>The sequences could not be made.</source>
        <translation>Die Sequenzen konnten nicht erstellt werden.</translation>
    </message>
    <message>
        <source>No mask could be proposed.</source>
        <translation>Es konnte keine Maske vorgeschlagen werden.</translation>
    </message>
    <message>
        <source>{name} is a proposal: look at it, and edit it in the Segment Editor.</source>
        <translation>{name} ist ein Vorschlag: ansehen und im Segment Editor bearbeiten.</translation>
    </message>
    <message>
        <source>The DICOM files could not be written.</source>
        <translation>Die DICOM-Dateien konnten nicht geschrieben werden.</translation>
    </message>
    <message>
        <source>Wrote {count} DICOM files to {folder}.</source>
        <translation>{count} DICOM-Dateien nach {folder} geschrieben.</translation>
    </message>
    <message>
        <source>λ values</source>
        <translation>Werte von λ</translation>
    </message>
    <message>
        <source>Inputs</source>
        <translation>Eingaben</translation>
    </message>
    <message>
        <source>Load a scan:</source>
        <translation>Aufnahme laden:</translation>
    </message>
    <message>
        <source>From folder…</source>
        <translation>Aus Ordner …</translation>
    </message>
    <message>
        <source>Load a scan from a BIDS dataset, any folder with *_MEGRE.nii[.gz] files, the folder that dcm2niix left, or a DICOM folder.</source>
        <translation>Eine Aufnahme laden: aus einem BIDS-Datensatz, einem Ordner mit Dateien *_MEGRE.nii[.gz], dem Ordner von dcm2niix oder einem DICOM-Ordner.</translation>
    </message>
    <message>
        <source>From file…</source>
        <translation>Aus Datei…</translation>
    </message>
    <message>
        <source>Load a scan from a .mat file: ImDataParams (the authors&apos;), imDataParams (ISMRM fat–water toolbox), or MEDI&apos;s iField, or magn or mag with phase; or from a 4-D NIfTI file of all echoes, complex or with its phase beside it.</source>
        <translation>Eine Aufnahme laden: aus einer .mat-Datei mit ImDataParams (der Autoren), imDataParams (ISMRM fat–water toolbox), MEDIs iField, oder magn oder mag mit phase; oder aus einer 4-D-NIfTI-Datei aller Echos, komplex oder mit der Phase daneben.</translation>
    </message>
    <message>
        <source>Loading options</source>
        <translation>Optionen beim Laden</translation>
    </message>
    <message>
        <source>Which scan:</source>
        <translation>Welche Aufnahme:</translation>
    </message>
    <message>
        <source>sub-01 run-1, if there are several</source>
        <translation>sub-01 run-1, falls es mehrere gibt</translation>
    </message>
    <message>
        <source>Only for a folder that holds several scans: the labels of one, such as sub-01 ses-1 run-2.</source>
        <translation>Nur für Ordner mit mehreren Aufnahmen: die Kennzeichen der gewünschten, etwa sub-01 ses-1 run-2.</translation>
    </message>
    <message>
        <source>Voxel size [mm]:</source>
        <translation>Voxelgröße [mm]:</translation>
    </message>
    <message>
        <source>1.5 1.5 1.5, if the file stores none</source>
        <translation>1.5 1.5 1.5, falls die Datei keine enthält</translation>
    </message>
    <message>
        <source>Only for a .mat file that stores none: the size of its voxels in mm along its array axes I J K. Paper: 1.5 1.5 1.5.</source>
        <translation>Nur für eine .mat-Datei, die keine enthält: Größe der Voxel in mm entlang der Achsen I J K. Veröffentlichung: 1.5 1.5 1.5.</translation>
    </message>
    <message>
        <source>Files&apos; echo times [ms]:</source>
        <translation>Echozeiten der Dateien [ms]:</translation>
    </message>
    <message>
        <source>1.25 1.95 2.65 …, if the files do not say them</source>
        <translation>1.25 1.95 2.65 …, falls die Dateien sie nicht nennen</translation>
    </message>
    <message>
        <source>Only for files that do not say them, such as one 4-D NIfTI without JSON: an echo time in ms for each echo. Paper: 1.25 ms and eight more 0.7 ms apart.</source>
        <translation>Nur für Dateien, die sie nicht nennen, wie eine 4-D-NIfTI-Datei ohne JSON: eine Echozeit in ms für jedes Echo. Veröffentlichung: 1,25 ms und acht weitere im Abstand von 0,7 ms.</translation>
    </message>
    <message>
        <source>Files&apos; field strength [T]:</source>
        <translation>Feldstärke der Dateien [T]:</translation>
    </message>
    <message>
        <source>3, if the files do not say it</source>
        <translation>3, falls die Dateien sie nicht nennen</translation>
    </message>
    <message>
        <source>Only for files that do not say it, such as one 4-D NIfTI without JSON: the field strength in tesla. Paper: 3 T.</source>
        <translation>Nur für Dateien, die sie nicht nennen, wie eine 4-D-NIfTI-Datei ohne JSON: die Feldstärke in Tesla. Veröffentlichung: 3 T.</translation>
    </message>
    <message>
        <source>From loose volumes</source>
        <translation>Aus einzelnen Volumen</translation>
    </message>
    <message>
        <source>Magnitude volumes:</source>
        <translation>Magnitudenvolumen:</translation>
    </message>
    <message>
        <source>Tick the magnitude volumes, one for each echo. They are taken in the order of this list.</source>
        <translation>Die Magnitudenvolumen ankreuzen, eines je Echo. Es gilt die Reihenfolge dieser Liste.</translation>
    </message>
    <message>
        <source>Phase volumes:</source>
        <translation>Phasenvolumen:</translation>
    </message>
    <message>
        <source>Tick the phase volumes, as many and in the same order.</source>
        <translation>Die Phasenvolumen ankreuzen, ebenso viele und in derselben Reihenfolge.</translation>
    </message>
    <message>
        <source>Echo times [ms]:</source>
        <translation>Echozeiten [ms]:</translation>
    </message>
    <message>
        <source>1.25 1.95 2.65 …</source>
        <translation>1.25 1.95 2.65 …</translation>
    </message>
    <message>
        <source>Echo times in ms of the ticked volumes, in their order. Paper: nine echoes 1.25, 1.95, … 6.85 ms.</source>
        <translation>Echozeiten der angekreuzten Volumen in ms, in deren Reihenfolge. Veröffentlichung: neun Echos 1.25, 1.95, … 6.85 ms.</translation>
    </message>
    <message>
        <source>Make sequences</source>
        <translation>Sequenzen erstellen</translation>
    </message>
    <message>
        <source>Make a magnitude and a phase sequence from the ticked volumes and select them.</source>
        <translation>Aus den angekreuzten Volumen eine Magnituden- und eine Phasensequenz erstellen und auswählen.</translation>
    </message>
    <message>
        <source>Magnitude:</source>
        <translation>Magnitude:</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Keine Auswahl</translation>
    </message>
    <message>
        <source>Sequence of the magnitude volumes, one for each echo. At least three echoes; paper: nine.</source>
        <translation>Sequenz der Magnitudenvolumen, eines je Echo. Mindestens drei Echos; Veröffentlichung: neun.</translation>
    </message>
    <message>
        <source>Phase:</source>
        <translation>Phase:</translation>
    </message>
    <message>
        <source>Sequence of the phase volumes of the same scan, in radians or as scaled integers.</source>
        <translation>Sequenz der Phasenvolumen derselben Aufnahme, im Bogenmaß oder als skalierte ganze Zahlen.</translation>
    </message>
    <message>
        <source>Field strength:</source>
        <translation>Feldstärke:</translation>
    </message>
    <message>
        <source> T</source>
        <translation> T</translation>
    </message>
    <message>
        <source>not known: enter it</source>
        <translation>unbekannt: bitte eingeben</translation>
    </message>
    <message>
        <source>Field strength in tesla, taken from the scan where it says it. Paper: 3 T.</source>
        <translation>Feldstärke in Tesla, aus der Aufnahme übernommen, sofern sie dort steht. Veröffentlichung: 3 T.</translation>
    </message>
    <message>
        <source>not known: enter one for each echo</source>
        <translation>unbekannt: bitte eine je Echo eingeben</translation>
    </message>
    <message>
        <source>Echo times in ms, taken from the scan where it says them. Paper: 1.25 ms and eight more 0.7 ms apart.</source>
        <translation>Echozeiten in ms, aus der Aufnahme übernommen, sofern sie dort stehen. Veröffentlichung: 1,25 ms und acht weitere im Abstand von 0,7 ms.</translation>
    </message>
    <message>
        <source>B0 direction [R A S]:</source>
        <translation>Richtung von B0 [R A S]:</translation>
    </message>
    <message>
        <source>0 0 1</source>
        <translation>0 0 1</translation>
    </message>
    <message>
        <source>Direction of the main field in patient coordinates right, anterior, superior. 0 0 1 for a patient lying along the bore.</source>
        <translation>Richtung des Hauptfelds in Patientenkoordinaten rechts, anterior, superior. 0 0 1 für einen Patienten, der längs der Röhre liegt.</translation>
    </message>
    <message>
        <source>Mask:</source>
        <translation>Maske:</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatisch</translation>
    </message>
    <message>
        <source>Where susceptibility is solved: the whole body less its surface, or a segment.</source>
        <translation>Wo die Suszeptibilität bestimmt wird: im ganzen Körper ohne seine Oberfläche, oder in einem Segment.</translation>
    </message>
    <message>
        <source>Propose</source>
        <translation>Vorschlagen</translation>
    </message>
    <message>
        <source>Find the bones in the maps of a first run, and make a mask of them and of what of the body is around them, to be looked at and edited.</source>
        <translation>Die Knochen in den Karten eines ersten Laufs finden und aus ihnen und dem Körper um sie herum eine Maske machen, zum Ansehen und Bearbeiten.</translation>
    </message>
    <message>
        <source>Segment in which susceptibility is solved. It is used as it is, without erosion.</source>
        <translation>Segment, in dem die Suszeptibilität bestimmt wird. Es wird unverändert verwendet, ohne Erosion.</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>Anwenden</translation>
    </message>
    <message>
        <source>Compute the maps.</source>
        <translation>Die Karten berechnen.</translation>
    </message>
    <message>
        <source>Results</source>
        <translation>Ergebnisse</translation>
    </message>
    <message>
        <source>Run:</source>
        <translation>Lauf:</translation>
    </message>
    <message>
        <source>The runs whose maps are in the scene, the latest first.</source>
        <translation>Die Läufe, deren Karten in der Szene sind, der neueste zuerst.</translation>
    </message>
    <message>
        <source>How the run was made, how far its fit can be trusted, what was found out or assumed, and what has been changed in the panel since.</source>
        <translation>Wie der Lauf gerechnet wurde, wie weit seiner Anpassung zu trauen ist, was gefunden oder angenommen wurde, und was seitdem im Panel geändert wurde.</translation>
    </message>
    <message>
        <source>Click a map to show it with its colors; click its eye to hide it.</source>
        <translation>Eine Karte anklicken, um sie in ihren Farben zu zeigen; das Auge anklicken, um sie zu verbergen.</translation>
    </message>
    <message>
        <source>Previous layout</source>
        <translation>Vorherige Anordnung</translation>
    </message>
    <message>
        <source>Go back to the layout of views that was there before the maps were shown.</source>
        <translation>Zurück zur Anordnung der Ansichten, die es gab, bevor die Karten gezeigt wurden.</translation>
    </message>
    <message>
        <source>DICOM out</source>
        <translation>DICOM-Ausgabe</translation>
    </message>
    <message>
        <source>Maps and regions for the hospital&apos;s archive.</source>
        <translation>Karten und Regionen für das Archiv des Krankenhauses.</translation>
    </message>
    <message>
        <source>DICOM of the scan:</source>
        <translation>DICOM der Aufnahme:</translation>
    </message>
    <message>
        <source>Folder, or one file, of the scan&apos;s DICOM images: their patient and study are taken. Filled in for scans that were loaded from DICOM.</source>
        <translation>Ordner, oder eine Datei, der DICOM-Bilder der Aufnahme: deren Patient und Studie werden übernommen. Ausgefüllt bei Aufnahmen, die aus DICOM geladen wurden.</translation>
    </message>
    <message>
        <source>Folder to write:</source>
        <translation>Ordner zum Schreiben:</translation>
    </message>
    <message>
        <source>Folder for the DICOM files.</source>
        <translation>Ordner für die DICOM-Dateien.</translation>
    </message>
    <message>
        <source>Regions:</source>
        <translation>Regionen:</translation>
    </message>
    <message>
        <source>Regions that are written as a DICOM segmentation, with their statistics as a measurement report.</source>
        <translation>Regionen, die als DICOM-Segmentierung geschrieben werden, mit ihrer Statistik als Messbericht.</translation>
    </message>
    <message>
        <source>Plain images:</source>
        <translation>Einfache Bilder:</translation>
    </message>
    <message>
        <source>MR images of 16 bits as well</source>
        <translation>Auch MR-Bilder mit 16 Bit</translation>
    </message>
    <message>
        <source>For archives that show nothing else.</source>
        <translation>Für Archive, die nichts anderes zeigen.</translation>
    </message>
    <message>
        <source>Write DICOM</source>
        <translation>DICOM schreiben</translation>
    </message>
    <message>
        <source>Write the maps of this run as DICOM objects in the patient&apos;s study: susceptibility, R2*, fat fraction and field as Parametric Maps, regions as a segmentation with a measurement report.</source>
        <translation>Die Karten dieses Laufs als DICOM-Objekte in die Studie des Patienten schreiben: Suszeptibilität, R2*, Fettanteil und Feld als Parametric Maps, Regionen als Segmentierung mit Messbericht.</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>Parameter</translation>
    </message>
    <message>
        <source>Preset:</source>
        <translation>Voreinstellung:</translation>
    </message>
    <message>
        <source>Choosing a preset fills in all parameters and sets λ. paper: as printed in Diefenbach et al., MRM 2019. authors-code: what the authors&apos; scripts set. default: closest to the truth on simulated ankles.</source>
        <translation>Die Wahl einer Voreinstellung füllt alle Parameter aus und legt λ fest. paper: wie gedruckt in Diefenbach et al., MRM 2019. authors-code: was die Skripte der Autoren setzen. default: der Wahrheit am nächsten bei simulierten Sprunggelenken.</translation>
    </message>
    <message>
        <source>Inversion:</source>
        <translation>Inversion:</translation>
    </message>
    <message>
        <source>Dipole inversion. Paper: closed form, MEDI-l2 and TV-MEDI, the last being best.</source>
        <translation>Dipolinversion. Veröffentlichung: geschlossene Form, MEDI-l2 und TV-MEDI, wovon die letzte am besten ist.</translation>
    </message>
    <message>
        <source>Regularization λ:</source>
        <translation>Regularisierung λ:</translation>
    </message>
    <message>
        <source>Weight of smoothness against the measured field; larger is smoother. At its lowest value it is the preset&apos;s for the inversion. Paper: 0.2 (closed form) and 0.1 (MEDI-l2) in units of its 1.5 mm voxels, so 0.45 and 0.225 mm²; 0.03 ppm·mm (TV-MEDI).</source>
        <translation>Gewicht der Glattheit gegenüber dem gemessenen Feld; größer ist glatter. Der niedrigste Wert steht für den der Voreinstellung zur gewählten Inversion. Veröffentlichung: 0,2 (geschlossene Form) und 0,1 (MEDI-l2) in Einheiten ihrer Voxel von 1,5 mm, also 0,45 und 0,225 mm²; 0,03 ppm·mm (TV-MEDI).</translation>
    </message>
    <message>
        <source>Try λ:</source>
        <translation>λ ausprobieren:</translation>
    </message>
    <message>
        <source>Show susceptibility at once by the closed form, from a hundredth to a hundred times the preset&apos;s λ, in a volume of its own. The closed form weighs all voxels alike, keeps no edges and leaves cortex in; other inversions count λ on other scales. They get as many times their own λ of the preset: a start, not the same smoothness.</source>
        <translation>Zeigt die Suszeptibilität sofort in geschlossener Form, vom Hundertstel bis zum Hundertfachen des λ der Voreinstellung, in einem eigenen Volumen. Die geschlossene Form gewichtet alle Voxel gleich, erhält keine Kanten und lässt die Kortikalis darin; andere Inversionen zählen λ auf anderen Skalen. Sie erhalten dasselbe Vielfache ihres eigenen λ der Voreinstellung: ein Anfang, nicht dieselbe Glattheit.</translation>
    </message>
    <message>
        <source>λ of the closed form while the slider is moved.</source>
        <translation>λ der geschlossenen Form, während der Regler bewegt wird.</translation>
    </message>
    <message>
        <source>Take this λ over into the setting above, and run the chosen inversion of the scan under Inputs. Fields of the last run are used where the scan and the settings before the inversion are the same.</source>
        <translation>Übernimmt dieses λ in die Einstellung darüber und rechnet die gewählte Inversion der Aufnahme unter Eingaben. Die Felder des letzten Laufs werden benutzt, wo Aufnahme und Einstellungen vor der Inversion dieselben sind.</translation>
    </message>
    <message>
        <source>Run with this λ</source>
        <translation>Mit diesem λ rechnen</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>Erweitert</translation>
    </message>
    <message>
        <source>Fat and water</source>
        <translation>Fett und Wasser</translation>
    </message>
    <message>
        <source>Fat model:</source>
        <translation>Fettmodell:</translation>
    </message>
    <message>
        <source>Spectrum of fat. Paper: seven peaks; authors&apos; scripts: ren-marrow.</source>
        <translation>Spektrum des Fetts. Veröffentlichung: sieben Linien; Skripte der Autoren: ren-marrow.</translation>
    </message>
    <message>
        <source>Spectrum of fat:</source>
        <translation>Fettspektrum:</translation>
    </message>
    <message>
        <source>best takes the spectrum that fits the scan best, if one surely fits better than the fat model; shifted estimates a shift of all its peaks against water. Paper: given.</source>
        <translation>best nimmt das Spektrum, das am besten zur Aufnahme passt, falls eines sicher besser passt als das Fettmodell; shifted schätzt eine Verschiebung aller seiner Linien gegen Wasser. Veröffentlichung: given.</translation>
    </message>
    <message>
        <source>Shift of fat:</source>
        <translation>Verschiebung des Fetts:</translation>
    </message>
    <message>
        <source> ppm</source>
        <translation> ppm</translation>
    </message>
    <message>
        <source>Shift of all peaks of fat against water, on top of the spectrum&apos;s. Paper: none.</source>
        <translation>Verschiebung aller Fettlinien gegen Wasser, zusätzlich zu der des Spektrums. Veröffentlichung: keine.</translation>
    </message>
    <message>
        <source>Temperature:</source>
        <translation>Temperatur:</translation>
    </message>
    <message>
        <source> °C</source>
        <translation> °C</translation>
    </message>
    <message>
        <source>Temperature of what was scanned: water moves by -0.01 ppm/K against fat. 37 for the body; a sample on the table may have 20.</source>
        <translation>Temperatur des Untersuchten: Wasser verschiebt sich um -0,01 ppm/K gegen Fett. 37 für den Körper; eine Probe auf dem Tisch hat vielleicht 20.</translation>
    </message>
    <message>
        <source>T1 weighting of fat:</source>
        <translation>T1-Wichtung von Fett:</translation>
    </message>
    <message>
        <source>How many times stronger T1 leaves fat than water; the fat fraction is that without. A note says it where flip angle and repetition time are known. 1: none. Paper: none.</source>
        <translation>Wievielmal stärker T1 Fett lässt als Wasser; der Fettanteil ist der ohne dies. Ein Hinweis nennt die Zahl, wo Kippwinkel und Repetitionszeit bekannt sind. 1: keine. Veröffentlichung: keine.</translation>
    </message>
    <message>
        <source>Echoes</source>
        <translation>Echos</translation>
    </message>
    <message>
        <source>Sign of the phase:</source>
        <translation>Vorzeichen der Phase:</translation>
    </message>
    <message>
        <source>+1 if phase grows with frequency, -1 if it falls; auto finds out from the fit.</source>
        <translation>+1, wenn die Phase mit der Frequenz wächst, -1, wenn sie fällt; auto findet es aus der Anpassung heraus.</translation>
    </message>
    <message>
        <source>Read-out:</source>
        <translation>Auslesung:</translation>
    </message>
    <message>
        <source>bipolar if every other echo is read in the opposite direction; auto finds out from the fit. Paper: monopolar.</source>
        <translation>bipolar, wenn jedes zweite Echo in Gegenrichtung ausgelesen wird; auto findet es aus der Anpassung heraus. Veröffentlichung: monopolar.</translation>
    </message>
    <message>
        <source>Echo trains:</source>
        <translation>Echozüge:</translation>
    </message>
    <message>
        <source>Interleaved echo trains that take turns; auto tells one from three. Paper: three.</source>
        <translation>Verschachtelte Echozüge, die sich abwechseln; auto unterscheidet einen von dreien. Veröffentlichung: drei.</translation>
    </message>
    <message>
        <source>Errors of echoes:</source>
        <translation>Fehler der Echos:</translation>
    </message>
    <message>
        <source>auto finds errors of single echoes that are the same all over the image, and takes them off; none leaves the echoes as they are. Paper: none.</source>
        <translation>auto findet Fehler einzelner Echos, die im ganzen Bild gleich sind, und zieht sie ab; none lässt die Echos, wie sie sind. Veröffentlichung: none.</translation>
    </message>
    <message>
        <source>Echo combination:</source>
        <translation>Kombination der Echos:</translation>
    </message>
    <message>
        <source>Magnitude image for mask and weights: maximum over echoes (mip, paper) or root sum of squares (rss, authors&apos; scripts).</source>
        <translation>Magnitudenbild für Maske und Gewichte: Maximum über die Echos (mip, Veröffentlichung) oder Wurzel der Quadratsumme (rss, Skripte der Autoren).</translation>
    </message>
    <message>
        <source>Automatic mask</source>
        <translation>Automatische Maske</translation>
    </message>
    <message>
        <source>Mask threshold:</source>
        <translation>Maskenschwelle:</translation>
    </message>
    <message>
        <source> × bright end</source>
        <translation> × hellstes Signal</translation>
    </message>
    <message>
        <source>Voxels darker than this fraction of the bright end (99th percentile) are outside the body. Authors&apos; scripts: 0.02.</source>
        <translation>Voxel, die dunkler sind als dieser Anteil des hellsten Signals (99. Perzentil), liegen außerhalb des Körpers. Skripte der Autoren: 0,02.</translation>
    </message>
    <message>
        <source>Mask erosion:</source>
        <translation>Maskenerosion:</translation>
    </message>
    <message>
        <source> mm</source>
        <translation> mm</translation>
    </message>
    <message>
        <source>Distance from the body&apos;s surface that the automatic mask leaves out. The paper gives none.</source>
        <translation>Abstand von der Körperoberfläche, den die automatische Maske auslässt. Die Veröffentlichung nennt keinen.</translation>
    </message>
    <message>
        <source>Background</source>
        <translation>Hintergrund</translation>
    </message>
    <message>
        <source>Background removal:</source>
        <translation>Hintergrundentfernung:</translation>
    </message>
    <message>
        <source>Removal of the field of sources outside the mask. Paper: lbv.</source>
        <translation>Entfernung des Felds von Quellen außerhalb der Maske. Veröffentlichung: lbv.</translation>
    </message>
    <message>
        <source>Air model first:</source>
        <translation>Luftmodell zuerst:</translation>
    </message>
    <message>
        <source>Take off the field of the air around the body, and of what is beyond the image, before background removal. Paper: off.</source>
        <translation>Vor der Entfernung des Hintergrunds das Feld der Luft um den Körper und dessen, was jenseits des Bildes liegt, abziehen. Veröffentlichung: aus.</translation>
    </message>
    <message>
        <source>Background radius:</source>
        <translation>Radius für den Hintergrund:</translation>
    </message>
    <message>
        <source>the method&apos;s own</source>
        <translation>Wert des Verfahrens</translation>
    </message>
    <message>
        <source>Radius of spheres: the largest of V-SHARP (its own: 12 mm), that of RESHARP (5 mm).</source>
        <translation>Radius der Kugeln: die größte von V-SHARP (eigener Wert: 12 mm), die von RESHARP (5 mm).</translation>
    </message>
    <message>
        <source>Background tolerance:</source>
        <translation>Toleranz des Hintergrunds:</translation>
    </message>
    <message>
        <source>Relative residual at which background removal stops. The method&apos;s own: 1e-6 for LBV, 4e-4 for RESHARP, 2e-4 for PDF, 0.003 for the air model.</source>
        <translation>Relatives Residuum, bei dem die Entfernung des Hintergrunds endet. Eigener Wert des Verfahrens: 1e-6 für LBV, 4e-4 für RESHARP, 2e-4 für PDF, 0,003 für das Luftmodell.</translation>
    </message>
    <message>
        <source>Edges</source>
        <translation>Kanten</translation>
    </message>
    <message>
        <source>Edge image:</source>
        <translation>Kantenbild:</translation>
    </message>
    <message>
        <source>Image whose edges may also be edges of susceptibility; smoothed, noise makes no edges. Paper: opposed-phase, |W − F|; authors&apos; scripts: magnitude.</source>
        <translation>Bild, an dessen Kanten auch die Suszeptibilität Kanten haben darf; geglättet macht Rauschen keine Kanten. Veröffentlichung: Gegenphase, |W − F|; Skripte der Autoren: Magnitude.</translation>
    </message>
    <message>
        <source>Edge steepness:</source>
        <translation>Kantensteilheit:</translation>
    </message>
    <message>
        <source> per mm</source>
        <translation> pro mm</translation>
    </message>
    <message>
        <source>not used</source>
        <translation>nicht verwendet</translation>
    </message>
    <message>
        <source>Edges are soft and have a direction: smoothness weighs one half where the image changes by this fraction of its bright end in a mm. Not used: edges are all or nothing, by the two that follow, which do not count otherwise. Paper and authors&apos; scripts: not used.</source>
        <translation>Kanten sind weich und haben eine Richtung: Glätte zählt halb, wo sich das Bild auf einem mm um diesen Anteil seines hellsten Signals ändert. Nicht verwendet: Kanten sind ganz oder gar nicht, nach den beiden folgenden, die sonst nicht zählen. Veröffentlichung und Skripte der Autoren: nicht verwendet.</translation>
    </message>
    <message>
        <source>Edge threshold:</source>
        <translation>Kantenschwelle:</translation>
    </message>
    <message>
        <source> × largest gradient</source>
        <translation> × größter Gradient</translation>
    </message>
    <message>
        <source>Where the steepness is not used, edges are gradients above this fraction of the largest one in the mask. Paper: not used; authors&apos; scripts: 0.1.</source>
        <translation>Wo die Steilheit nicht verwendet wird, sind Kanten Gradienten über diesem Anteil des größten in der Maske. Veröffentlichung: nicht verwendet; Skripte der Autoren: 0,1.</translation>
    </message>
    <message>
        <source>Edge fraction:</source>
        <translation>Kantenanteil:</translation>
    </message>
    <message>
        <source> × mask voxels</source>
        <translation> × Maskenvoxel</translation>
    </message>
    <message>
        <source>Share of the mask&apos;s voxels that count as edges where neither steepness nor threshold is used. Paper: 0.4.</source>
        <translation>Anteil der Maskenvoxel, die als Kanten gelten, wo weder Steilheit noch Schwelle verwendet wird. Veröffentlichung: 0,4.</translation>
    </message>
    <message>
        <source>Edge weight:</source>
        <translation>Kantengewicht:</translation>
    </message>
    <message>
        <source> on edges</source>
        <translation> auf Kanten</translation>
    </message>
    <message>
        <source>Weight of the smoothness on edges, of soft ones the least, against 1 elsewhere. Paper: 0.01; authors&apos; scripts: 0.</source>
        <translation>Gewicht der Glattheit auf Kanten, auf weichen das kleinste, gegenüber 1 anderswo. Veröffentlichung: 0,01; Skripte der Autoren: 0.</translation>
    </message>
    <message>
        <source>Inversion</source>
        <translation>Inversion</translation>
    </message>
    <message>
        <source>Variation:</source>
        <translation>Variation:</translation>
    </message>
    <message>
        <source>Whether the total variation of TV-MEDI and TGV sums the three differences of a voxel (anisotropic, paper) or takes their length (isotropic).</source>
        <translation>Ob die totale Variation von TV-MEDI und TGV die drei Differenzen eines Voxels summiert (anisotropic, Veröffentlichung) oder ihre Länge nimmt (isotropic).</translation>
    </message>
    <message>
        <source>Weak-harmonic term [mm⁴]:</source>
        <translation>Harmonischer Term [mm⁴]:</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keiner</translation>
    </message>
    <message>
        <source>Weight of a term for what background removal left, a field that is nearly harmonic; empty or 0 for none (paper).</source>
        <translation>Gewicht eines Terms für das, was die Entfernung des Hintergrunds übrig lässt, ein fast harmonisches Feld; leer oder 0 für keinen (Veröffentlichung).</translation>
    </message>
    <message>
        <source>Bregman rounds:</source>
        <translation>Bregman-Runden:</translation>
    </message>
    <message>
        <source>Rounds of TV-MEDI. After each, what susceptibility leaves of the field is added to the field, which gives back what smoothing takes from steps. Paper: 1.</source>
        <translation>Runden von TV-MEDI. Nach jeder wird das, was die Suszeptibilität vom Feld übrig lässt, zum Feld addiert; das gibt zurück, was die Glättung den Stufen nimmt. Veröffentlichung: 1.</translation>
    </message>
    <message>
        <source>Fat prior:</source>
        <translation>Vorwissen über Fett:</translation>
    </message>
    <message>
        <source>Susceptibility of fat of a prior: what is regularized is then susceptibility less this times the fat fraction; 0 for none (paper).</source>
        <translation>Suszeptibilität von Fett als Vorwissen: Regularisiert wird dann die Suszeptibilität abzüglich dieses Werts mal Fettanteil; 0 für keines (Veröffentlichung).</translation>
    </message>
    <message>
        <source>Cortex apart:</source>
        <translation>Kortikalis getrennt:</translation>
    </message>
    <message>
        <source>Give what has no signal near thin dark layers, cortex above all, a susceptibility of its own, and take its field off before the rest is inverted. Paper: no.</source>
        <translation>Dem, was nahe dünnen dunklen Schichten, vor allem Kortikalis, kein Signal hat, eine eigene Suszeptibilität geben und ihr Feld abziehen, bevor der Rest invertiert wird. Veröffentlichung: nein.</translation>
    </message>
    <message>
        <source>Padding:</source>
        <translation>Randvoxel:</translation>
    </message>
    <message>
        <source> voxels</source>
        <translation> Voxel</translation>
    </message>
    <message>
        <source>Least voxels around the mask on each side of the periodic grid of the inversion.</source>
        <translation>Mindestzahl von Voxeln um die Maske auf jeder Seite des periodischen Gitters der Inversion.</translation>
    </message>
    <message>
        <source>Inversion tolerance:</source>
        <translation>Toleranz der Inversion:</translation>
    </message>
    <message>
        <source>Relative change at which an iterative inversion stops. The method&apos;s own: 0.001 for MEDI-l2 and TV-MEDI, 0.003 for TV-MEDI in rounds, 0.0025 for TGV.</source>
        <translation>Relative Änderung, bei der eine iterative Inversion endet. Eigener Wert des Verfahrens: 0,001 für MEDI-l2 und TV-MEDI, 0,003 für TV-MEDI in Runden, 0,0025 für TGV.</translation>
    </message>
    <message>
        <source>Inversion iterations:</source>
        <translation>Iterationen der Inversion:</translation>
    </message>
    <message>
        <source> iterations</source>
        <translation> Iterationen</translation>
    </message>
    <message>
        <source>Most iterations of the inversion. The method&apos;s own: 1000 for MEDI-l2, 500 for TV-MEDI.</source>
        <translation>Höchste Zahl der Iterationen der Inversion. Eigener Wert des Verfahrens: 1000 für MEDI-l2, 500 für TV-MEDI.</translation>
    </message>
    <message>
        <source>Reference:</source>
        <translation>Bezug:</translation>
    </message>
    <message>
        <source>What susceptibility is relative to: nothing (paper), or its mean over the mask.</source>
        <translation>Worauf sich die Suszeptibilität bezieht: nichts (Veröffentlichung) oder ihr Mittel über die Maske.</translation>
    </message>
    <message>
        <source>Additional maps</source>
        <translation>Zusätzliche Karten</translation>
    </message>
    <message>
        <source>R2* of water and fat:</source>
        <translation>R2* von Wasser und Fett:</translation>
    </message>
    <message>
        <source>yes adds maps of R2* of water and of fat each; the other maps stay as they are. Paper: one R2* for both.</source>
        <translation>yes fügt Karten von R2* von Wasser und von Fett hinzu; die anderen Karten bleiben, wie sie sind. Veröffentlichung: ein R2* für beide.</translation>
    </message>
    <message>
        <source>Maps of the magnitude:</source>
        <translation>Karten der Magnitude:</translation>
    </message>
    <message>
        <source>yes adds R2* and fat fraction of the magnitude alone, to compare; for a scan without phase these are all maps.</source>
        <translation>yes fügt R2* und Fettanteil der Magnitude allein hinzu, zum Vergleich; für eine Aufnahme ohne Phase sind das alle Karten.</translation>
    </message>
    <message>
        <source>SD of susceptibility:</source>
        <translation>SD der Suszeptibilität:</translation>
    </message>
    <message>
        <source>Add a map of the standard deviation of susceptibility by noise; four times as long. Paper: no.</source>
        <translation>Eine Karte der Standardabweichung der Suszeptibilität durch Rauschen hinzufügen; dauert viermal so lange. Veröffentlichung: nein.</translation>
    </message>
    <message>
        <source>Stop after:</source>
        <translation>Aufhören nach:</translation>
    </message>
    <message>
        <source>Last stage to run; nothing runs all and gives susceptibility.</source>
        <translation>Letzte Stufe, die läuft; nothing führt alle aus und ergibt die Suszeptibilität.</translation>
    </message>
    <message>
        <source>L-curve</source>
        <translation>L-Kurve</translation>
    </message>
    <message>
        <source>λ values:</source>
        <translation>Werte von λ:</translation>
    </message>
    <message>
        <source>sixteen around the λ above</source>
        <translation>sechzehn um das obige λ</translation>
    </message>
    <message>
        <source>Values of λ to compare, at least three; by default sixteen from a hundredth to a hundred times the λ above. Paper: its Figure S2.</source>
        <translation>Zu vergleichende Werte von λ, mindestens drei; sonst sechzehn vom Hundertstel bis zum Hundertfachen des obigen λ. Veröffentlichung: deren Abbildung S2.</translation>
    </message>
    <message>
        <source>Segmentation whose segments&apos; mean susceptibility is followed over λ.</source>
        <translation>Segmentierung, deren Segmente in ihrer mittleren Suszeptibilität über λ verfolgt werden.</translation>
    </message>
    <message>
        <source>Compute L-curve</source>
        <translation>L-Kurve berechnen</translation>
    </message>
    <message>
        <source>Invert with each λ, and show misfit against smoothness as a plot.</source>
        <translation>Mit jedem λ invertieren und die Abweichung gegen die Glattheit als Diagramm zeigen.</translation>
    </message>
    <message>
        <source>Outputs</source>
        <translation>Ausgaben</translation>
    </message>
    <message>
        <source>Name:</source>
        <translation>Name:</translation>
    </message>
    <message>
        <source>as the magnitude sequence</source>
        <translation>wie die Magnitudensequenz</translation>
    </message>
    <message>
        <source>Start of the names of the folder and of the maps in it.</source>
        <translation>Anfang der Namen des Ordners und der Karten darin.</translation>
    </message>
</context>
<context>
    <name>TrabecularQSMAnalysis</name>
    <message>
        <source>Trabecular QSM Analysis</source>
        <translation>Trabekuläre QSM: Auswertung</translation>
    </message>
    <message>
        <source>From maps of susceptibility, R2* and fat fraction to numbers about bone: regions, registration of bSSFP and CT, statistics, apparent bone volume fraction, regression. To try it: TrabecularQSM phantom with bSSFP and CT in the module Sample Data, then the steps here. For research only, not for diagnosis.</source>
        <translation>Von Karten der Suszeptibilität, von R2* und des Fettanteils zu Zahlen über Knochen: Regionen, Registrierung von bSSFP und CT, Statistik, scheinbarer Knochenvolumenanteil, Regression. Zum Ausprobieren: TrabecularQSM phantom with bSSFP and CT im Modul Sample Data, dann hier die Schritte. Nur für die Forschung, nicht zur Diagnose.</translation>
    </message>
    <message>
        <source>No bones could be proposed.</source>
        <translation>Es konnten keine Knochen vorgeschlagen werden.</translation>
    </message>
    <message>
        <source>The regions could not be made.</source>
        <translation>Die Regionen konnten nicht erstellt werden.</translation>
    </message>
    <message>
        <source>File of regions</source>
        <translation>Datei mit Regionen</translation>
    </message>
    <message>
        <source>Segmentations and label maps (*.nrrd *.nii *.nii.gz)</source>
        <translation>Segmentierungen und Labelmaps (*.nrrd *.nii *.nii.gz)</translation>
    </message>
    <message>
        <source>The regions could not be loaded.</source>
        <translation>Die Regionen konnten nicht geladen werden.</translation>
    </message>
    <message>
        <source>The region could not be split.</source>
        <translation>Die Region konnte nicht geteilt werden.</translation>
    </message>
    <message>
        <source>The registration failed.</source>
        <translation>Die Registrierung ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>The checkerboard could not be made.</source>
        <translation>Das Schachbrett konnte nicht erstellt werden.</translation>
    </message>
    <message>
        <source>The maps could not be measured.</source>
        <translation>Die Karten konnten nicht vermessen werden.</translation>
    </message>
    <message>
        <source>BV/TV could not be computed.</source>
        <translation>BV/TV konnte nicht berechnet werden.</translation>
    </message>
    <message>
        <source>No bone reference could be proposed.</source>
        <translation>Es konnte keine Knochenreferenz vorgeschlagen werden.</translation>
    </message>
    <message>
        <source>The phase cycles could not be combined.</source>
        <translation>Die Phasenzyklen konnten nicht kombiniert werden.</translation>
    </message>
    <message>
        <source>The CT could not be measured.</source>
        <translation>Das CT konnte nicht vermessen werden.</translation>
    </message>
    <message>
        <source>The calibration failed.</source>
        <translation>Die Kalibrierung ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>The profile could not be made.</source>
        <translation>Das Profil konnte nicht erstellt werden.</translation>
    </message>
    <message>
        <source>The regression failed.</source>
        <translation>Die Regression ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>matplotlib could not be installed.</source>
        <translation>matplotlib konnte nicht installiert werden.</translation>
    </message>
    <message>
        <source>Figure</source>
        <translation>Abbildung</translation>
    </message>
    <message>
        <source>Figures (*.png *.svg)</source>
        <translation>Abbildungen (*.png *.svg)</translation>
    </message>
    <message>
        <source>The figure could not be saved.</source>
        <translation>Die Abbildung konnte nicht gespeichert werden.</translation>
    </message>
    <message>
        <source>Saved {path}.</source>
        <translation>{path} gespeichert.</translation>
    </message>
    <message>
        <source>statsmodels could not be installed.</source>
        <translation>statsmodels konnte nicht installiert werden.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Stop; nothing is added to the scene.</source>
        <translation>Anhalten; der Szene wird nichts hinzugefügt.</translation>
    </message>
    <message>
        <source>Previous layout</source>
        <translation>Vorherige Anordnung</translation>
    </message>
    <message>
        <source>Go back to the layout of views that was there before results were shown.</source>
        <translation>Zurück zur Anordnung der Ansichten, die es gab, bevor Ergebnisse gezeigt wurden.</translation>
    </message>
    <message>
        <source>1. Regions</source>
        <translation>1. Regionen</translation>
    </message>
    <message>
        <source>Case, and the regions that all steps measure: proposed, drawn or from a file.</source>
        <translation>Fall, und die Regionen, die alle Schritte messen: vorgeschlagen, gezeichnet oder aus einer Datei.</translation>
    </message>
    <message>
        <source>2. Registration</source>
        <translation>2. Ausrichten</translation>
    </message>
    <message>
        <source>Put bSSFP and CT over the echo MIP.</source>
        <translation>bSSFP und CT über die Echo-MIP legen.</translation>
    </message>
    <message>
        <source>3. Maps</source>
        <translation>3. Karten</translation>
    </message>
    <message>
        <source>Statistics of maps in the regions.</source>
        <translation>Statistik der Karten in den Regionen.</translation>
    </message>
    <message>
        <source>4. BV/TV</source>
        <translation>4. BV/TV</translation>
    </message>
    <message>
        <source>Apparent bone volume fraction from the bSSFP.</source>
        <translation>Scheinbarer Knochenvolumenanteil aus der bSSFP.</translation>
    </message>
    <message>
        <source>5. CT</source>
        <translation>5. CT</translation>
    </message>
    <message>
        <source>Attenuation and density from the CT.</source>
        <translation>Schwächung und Dichte aus dem CT.</translation>
    </message>
    <message>
        <source>6. Profile</source>
        <translation>6. Profil</translation>
    </message>
    <message>
        <source>Values along a line.</source>
        <translation>Werte entlang einer Linie.</translation>
    </message>
    <message>
        <source>7. Regression</source>
        <translation>7. Regression</translation>
    </message>
    <message>
        <source>What the tables say about each other.</source>
        <translation>Zusammenhänge zwischen den Tabellen.</translation>
    </message>
    <message>
        <source>8. Cohort</source>
        <translation>8. Kohorte</translation>
    </message>
    <message>
        <source>All subjects of a dataset at once.</source>
        <translation>Alle Probanden eines Datensatzes auf einmal.</translation>
    </message>
    <message>
        <source>Case:</source>
        <translation>Fall:</translation>
    </message>
    <message>
        <source>sub-01</source>
        <translation>sub-01</translation>
    </message>
    <message>
        <source>Patient or scan: the first column of every table. Tables are joined on case and region.</source>
        <translation>Patient oder Aufnahme: die erste Spalte jeder Tabelle. Tabellen werden über Fall und Region verbunden.</translation>
    </message>
    <message>
        <source>Draw on:</source>
        <translation>Zeichnen auf:</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Keine Auswahl</translation>
    </message>
    <message>
        <source>Volume on whose grid new regions are drawn, such as the echo MIP.</source>
        <translation>Volumen, auf dessen Gitter neue Regionen gezeichnet werden, etwa die Echo-MIP.</translation>
    </message>
    <message>
        <source>Side:</source>
        <translation>Seite:</translation>
    </message>
    <message>
        <source>Side of the body, part of the segments&apos; terminology.</source>
        <translation>Körperseite, Teil der Terminologie der Segmente.</translation>
    </message>
    <message>
        <source>Propose bones</source>
        <translation>Knochen vorschlagen</translation>
    </message>
    <message>
        <source>Look for marrow behind cortex in fat fraction and echo MIP, on the grid of &apos;Draw on&apos; where that is chosen. Each bone becomes a segment, to be looked at and edited.</source>
        <translation>In Fettanteil und Echo-MIP nach Mark hinter Kortikalis suchen, auf dem Gitter von &apos;Zeichnen auf&apos;, wo das gewählt ist. Jeder Knochen wird ein Segment, zum Ansehen und Bearbeiten.</translation>
    </message>
    <message>
        <source>Create empty</source>
        <translation>Leere erstellen</translation>
    </message>
    <message>
        <source>Create a segmentation with the segments calcaneus subtalar, tuber and cavum, and distal tibia, ready to be drawn.</source>
        <translation>Eine Segmentierung mit den Segmenten calcaneus subtalar, tuber und cavum sowie distal tibia erstellen, bereit zum Zeichnen.</translation>
    </message>
    <message>
        <source>From file…</source>
        <translation>Aus Datei …</translation>
    </message>
    <message>
        <source>Load regions from Slicer&apos;s .seg.nrrd, or from a label map in NIfTI or NRRD with names in a BIDS .tsv beside it.</source>
        <translation>Regionen aus einer .seg.nrrd von Slicer laden, oder aus einer Labelmap in NIfTI oder NRRD mit Namen in einer BIDS-.tsv daneben.</translation>
    </message>
    <message>
        <source>Regions:</source>
        <translation>Regionen:</translation>
    </message>
    <message>
        <source>Segmentation whose segments are the regions of all steps below.</source>
        <translation>Segmentierung, deren Segmente die Regionen aller folgenden Schritte sind.</translation>
    </message>
    <message>
        <source>Draw</source>
        <translation>Zeichnen</translation>
    </message>
    <message>
        <source>Draw the regions here, with the effects of Slicer&apos;s Segment Editor, on the volume of &apos;Draw on&apos;.</source>
        <translation>Die Regionen hier zeichnen, mit den Werkzeugen von Slicers Segment Editor, auf dem Volumen von &apos;Zeichnen auf&apos;.</translation>
    </message>
    <message>
        <source>Split a region</source>
        <translation>Eine Region teilen</translation>
    </message>
    <message>
        <source>Region:</source>
        <translation>Region:</translation>
    </message>
    <message>
        <source>Segment that is split into compact parts of equal size.</source>
        <translation>Segment, das in kompakte Teile gleicher Größe geteilt wird.</translation>
    </message>
    <message>
        <source>Parts:</source>
        <translation>Teile:</translation>
    </message>
    <message>
        <source>Number of parts. Paper: ten regions for each bone in CT, drawn by hand.</source>
        <translation>Anzahl der Teile. Veröffentlichung: zehn Regionen je Knochen im CT, von Hand gezeichnet.</translation>
    </message>
    <message>
        <source>Split</source>
        <translation>Teilen</translation>
    </message>
    <message>
        <source>Make a new segmentation of the parts, on the grid of &apos;Draw on&apos;.</source>
        <translation>Eine neue Segmentierung der Teile erstellen, auf dem Gitter von &apos;Zeichnen auf&apos;.</translation>
    </message>
    <message>
        <source>Fixed:</source>
        <translation>Fest:</translation>
    </message>
    <message>
        <source>Volume that stays: the echo MIP, on which the regions are drawn.</source>
        <translation>Volumen, das bleibt: die Echo-MIP, auf der die Regionen gezeichnet sind.</translation>
    </message>
    <message>
        <source>Moving:</source>
        <translation>Beweglich:</translation>
    </message>
    <message>
        <source>Volume that is moved: the bSSFP or the CT. It is put under a transform, not resampled.</source>
        <translation>Volumen, das bewegt wird: die bSSFP oder das CT. Es wird unter eine Transformation gelegt, nicht umgerechnet.</translation>
    </message>
    <message>
        <source>Start:</source>
        <translation>Ausgangslage:</translation>
    </message>
    <message>
        <source>From where the registration starts: the centers of both grids, the centers of mass of both images, the transform that is above the moving volume now (the paper aligned CT by hand), or landmarks.</source>
        <translation>Wovon die Registrierung ausgeht: den Mitten beider Gitter, den Schwerpunkten beider Bilder, der Transformation, die jetzt über dem beweglichen Volumen liegt (die Veröffentlichung richtete das CT von Hand aus), oder Landmarken.</translation>
    </message>
    <message>
        <source>Points on fixed:</source>
        <translation>Punkte (fest):</translation>
    </message>
    <message>
        <source>Point list on the fixed volume; only for the start from landmarks.</source>
        <translation>Punktliste auf dem festen Volumen; nur für die Ausgangslage aus Landmarken.</translation>
    </message>
    <message>
        <source>Points on moving:</source>
        <translation>Punkte (beweglich):</translation>
    </message>
    <message>
        <source>Point list on the moving volume, in the same order; only for the start from landmarks.</source>
        <translation>Punktliste auf dem beweglichen Volumen, in derselben Reihenfolge; nur für die Ausgangslage aus Landmarken.</translation>
    </message>
    <message>
        <source>Only inside:</source>
        <translation>Nur innerhalb:</translation>
    </message>
    <message>
        <source>Everything</source>
        <translation>Überall</translation>
    </message>
    <message>
        <source>Segmentation outside of which nothing is compared. Everything by default.</source>
        <translation>Segmentierung, außerhalb derer nichts verglichen wird. Sonst überall.</translation>
    </message>
    <message>
        <source>Program:</source>
        <translation>Programm:</translation>
    </message>
    <message>
        <source>SimpleITK: this extension&apos;s own, the same result every time. BRAINS: Slicer&apos;s General Registration.</source>
        <translation>SimpleITK: das dieser Erweiterung, jedes Mal dasselbe Ergebnis. BRAINS: General Registration von Slicer.</translation>
    </message>
    <message>
        <source>Register</source>
        <translation>Registrieren</translation>
    </message>
    <message>
        <source>Register rigidly with mutual information.</source>
        <translation>Starr registrieren, mit Transinformation.</translation>
    </message>
    <message>
        <source>Checkerboard tiles:</source>
        <translation>Felder des Schachbretts:</translation>
    </message>
    <message>
        <source>Tiles along the longest edge.</source>
        <translation>Felder entlang der längsten Kante.</translation>
    </message>
    <message>
        <source>Show checkerboard</source>
        <translation>Schachbrett zeigen</translation>
    </message>
    <message>
        <source>Show fixed and moving volume in turn, tile by tile.</source>
        <translation>Festes und bewegliches Volumen abwechselnd zeigen, Feld für Feld.</translation>
    </message>
    <message>
        <source>Maps:</source>
        <translation>Karten:</translation>
    </message>
    <message>
        <source>Tick the maps. Mask and reliability from the same folder say which voxels count.</source>
        <translation>Die Karten ankreuzen. Maske und Zuverlässigkeit aus demselben Ordner sagen, welche Voxel zählen.</translation>
    </message>
    <message>
        <source>Table:</source>
        <translation>Tabelle:</translation>
    </message>
    <message>
        <source>New table</source>
        <translation>Neue Tabelle</translation>
    </message>
    <message>
        <source>Table to which the rows of this case are added. Rows of the same case, region and quantity are replaced.</source>
        <translation>Tabelle, der die Zeilen dieses Falls hinzugefügt werden. Zeilen desselben Falls, derselben Region und Größe werden ersetzt.</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Messen</translation>
    </message>
    <message>
        <source>Measure every map in every region.</source>
        <translation>Jede Karte in jeder Region messen.</translation>
    </message>
    <message>
        <source>Image:</source>
        <translation>Bild:</translation>
    </message>
    <message>
        <source>bSSFP volume, registered in step 2.</source>
        <translation>bSSFP-Volumen, in Schritt 2 registriert.</translation>
    </message>
    <message>
        <source>Bone reference:</source>
        <translation>Knochenreferenz:</translation>
    </message>
    <message>
        <source>In the regions</source>
        <translation>In den Regionen</translation>
    </message>
    <message>
        <source>Segmentation with the segment of pure bone, such as cortex; the regions&apos; own by default.</source>
        <translation>Segmentierung mit dem Segment reinen Knochens, etwa der Kortikalis; sonst die der Regionen.</translation>
    </message>
    <message>
        <source>Bone segment:</source>
        <translation>Knochensegment:</translation>
    </message>
    <message>
        <source>Segment that holds nothing but bone; it gives the level of bone.</source>
        <translation>Segment, das nichts als Knochen enthält; es ergibt das Signal von Knochen.</translation>
    </message>
    <message>
        <source>Propose bone reference</source>
        <translation>Knochenreferenz vorschlagen</translation>
    </message>
    <message>
        <source>Take the dark cortex at the regions in the bSSFP image as bone reference, as a segment to be looked at and edited. Register the image first.</source>
        <translation>Die dunkle Kortikalis an den Regionen im bSSFP-Bild als Knochenreferenz nehmen, als Segment zum Ansehen und Bearbeiten. Das Bild zuerst registrieren.</translation>
    </message>
    <message>
        <source>Bias correction:</source>
        <translation>Bias-Feld-Korrektur:</translation>
    </message>
    <message>
        <source>N4</source>
        <translation>N4</translation>
    </message>
    <message>
        <source>Take out slow shading first, with N4, as the paper does.</source>
        <translation>Zuerst langsame Helligkeitsschwankungen mit N4 entfernen, wie in der Veröffentlichung.</translation>
    </message>
    <message>
        <source>Marrow level:</source>
        <translation>Signal des Marks:</translation>
    </message>
    <message>
        <source>half-peak: half of the histogram&apos;s peak on the dark side, after Majumdar 1997, as the paper does. robust: the same on bins that do not depend on outliers.</source>
        <translation>half-peak: halbe Höhe des Histogrammgipfels auf der dunklen Seite, nach Majumdar 1997, wie in der Veröffentlichung. robust: dasselbe mit Klassen, die nicht von Ausreißern abhängen.</translation>
    </message>
    <message>
        <source>Table to which the rows of this case are added. Rows of the same case and region are replaced.</source>
        <translation>Tabelle, der die Zeilen dieses Falls hinzugefügt werden. Zeilen desselben Falls und derselben Region werden ersetzt.</translation>
    </message>
    <message>
        <source>Compute BV/TV</source>
        <translation>BV/TV berechnen</translation>
    </message>
    <message>
        <source>Compute apparent BV/TV of every region, with histograms.</source>
        <translation>Das scheinbare BV/TV jeder Region berechnen, mit Histogrammen.</translation>
    </message>
    <message>
        <source>Combine phase cycles</source>
        <translation>Phasenzyklen kombinieren</translation>
    </message>
    <message>
        <source>Phase cycles:</source>
        <translation>Phasenzyklen:</translation>
    </message>
    <message>
        <source>Tick the volumes of one bSSFP scan, one for each phase cycle.</source>
        <translation>Die Volumen einer bSSFP-Aufnahme ankreuzen, eines je Phasenzyklus.</translation>
    </message>
    <message>
        <source>Combine by:</source>
        <translation>Kombinieren durch:</translation>
    </message>
    <message>
        <source>Maximum, or root sum of squares.</source>
        <translation>Maximum oder Wurzel der Quadratsumme.</translation>
    </message>
    <message>
        <source>Combine</source>
        <translation>Kombinieren</translation>
    </message>
    <message>
        <source>Make one volume of the phase cycles and select it as the image.</source>
        <translation>Aus den Phasenzyklen ein Volumen erstellen und als Bild auswählen.</translation>
    </message>
    <message>
        <source>CT:</source>
        <translation>CT:</translation>
    </message>
    <message>
        <source>CT volume in Hounsfield units, registered in step 2.</source>
        <translation>CT-Volumen in Hounsfield-Einheiten, in Schritt 2 registriert.</translation>
    </message>
    <message>
        <source>Density slope:</source>
        <translation>Steigung der Dichte:</translation>
    </message>
    <message>
        <source> mg/cm³ per HU</source>
        <translation> mg/cm³ je HU</translation>
    </message>
    <message>
        <source>no density</source>
        <translation>keine Dichte</translation>
    </message>
    <message>
        <source>Bone mineral density for each Hounsfield unit; 0 for no density.</source>
        <translation>Knochenmineraldichte je Hounsfield-Einheit; 0 für keine Dichte.</translation>
    </message>
    <message>
        <source>Density intercept:</source>
        <translation>Achsenabschnitt der Dichte:</translation>
    </message>
    <message>
        <source> mg/cm³</source>
        <translation> mg/cm³</translation>
    </message>
    <message>
        <source>Bone mineral density at 0 Hounsfield units.</source>
        <translation>Knochenmineraldichte bei 0 Hounsfield-Einheiten.</translation>
    </message>
    <message>
        <source>Table to which the rows of this case are added; it may be that of the maps.</source>
        <translation>Tabelle, der die Zeilen dieses Falls hinzugefügt werden; es darf die der Karten sein.</translation>
    </message>
    <message>
        <source>Measure CT</source>
        <translation>CT messen</translation>
    </message>
    <message>
        <source>Measure attenuation, and density if there is a slope, in every region.</source>
        <translation>Die Schwächung, und bei gegebener Steigung die Dichte, in jeder Region messen.</translation>
    </message>
    <message>
        <source>Calibrate with phantom rods</source>
        <translation>Mit Stäben eines Phantoms kalibrieren</translation>
    </message>
    <message>
        <source>Rods [HU]:</source>
        <translation>Stäbe [HU]:</translation>
    </message>
    <message>
        <source>12 60 150 …</source>
        <translation>12 60 150 …</translation>
    </message>
    <message>
        <source>Mean of each rod in Hounsfield units, separated by spaces.</source>
        <translation>Mittelwert jedes Stabs in Hounsfield-Einheiten, durch Leerzeichen getrennt.</translation>
    </message>
    <message>
        <source>Rods [mg/cm³]:</source>
        <translation>Stäbe [mg/cm³]:</translation>
    </message>
    <message>
        <source>0 50 100 …</source>
        <translation>0 50 100 …</translation>
    </message>
    <message>
        <source>Known density of each rod, in the same order.</source>
        <translation>Bekannte Dichte jedes Stabs, in derselben Reihenfolge.</translation>
    </message>
    <message>
        <source>Fit line</source>
        <translation>Gerade anpassen</translation>
    </message>
    <message>
        <source>Fit slope and intercept to the rods.</source>
        <translation>Steigung und Achsenabschnitt an die Stäbe anpassen.</translation>
    </message>
    <message>
        <source>Volumes:</source>
        <translation>Volumen:</translation>
    </message>
    <message>
        <source>Tick maps and images.</source>
        <translation>Karten und Bilder ankreuzen.</translation>
    </message>
    <message>
        <source>Line:</source>
        <translation>Linie:</translation>
    </message>
    <message>
        <source>Markups line or curve, placed in the slice views.</source>
        <translation>Markups-Linie oder -Kurve, in den Schichtansichten gesetzt.</translation>
    </message>
    <message>
        <source>Plot profile</source>
        <translation>Profil zeichnen</translation>
    </message>
    <message>
        <source>Plot the volumes&apos; values along the line.</source>
        <translation>Die Werte der Volumen entlang der Linie zeichnen.</translation>
    </message>
    <message>
        <source>Tables:</source>
        <translation>Tabellen:</translation>
    </message>
    <message>
        <source>Tick the tables of maps, BV/TV and CT. They are joined on case and region.</source>
        <translation>Die Tabellen von Karten, BV/TV und CT ankreuzen. Sie werden über Fall und Region verbunden.</translation>
    </message>
    <message>
        <source>x:</source>
        <translation>x:</translation>
    </message>
    <message>
        <source>Column, or quantity of a table of maps (its mean); table:name where several tables have it. Paper: bvtv, ct.</source>
        <translation>Spalte, oder Größe einer Tabelle von Karten (deren Mittelwert); Tabelle:Name, wo mehrere Tabellen sie haben. Veröffentlichung: bvtv, ct.</translation>
    </message>
    <message>
        <source>y:</source>
        <translation>y:</translation>
    </message>
    <message>
        <source>Column, or quantity of a table of maps (its mean). Paper: chi, r2star.</source>
        <translation>Spalte, oder Größe einer Tabelle von Karten (deren Mittelwert). Veröffentlichung: chi, r2star.</translation>
    </message>
    <message>
        <source>Groups:</source>
        <translation>Gruppen:</translation>
    </message>
    <message>
        <source>region or label</source>
        <translation>region oder label</translation>
    </message>
    <message>
        <source>Column that tells groups apart; each has a line of its own. Left empty, region or label, where there is one.</source>
        <translation>Spalte, die Gruppen unterscheidet; jede hat eine eigene Gerade. Leer: region oder label, sofern vorhanden.</translation>
    </message>
    <message>
        <source>Subjects:</source>
        <translation>Probanden:</translation>
    </message>
    <message>
        <source>case or subject</source>
        <translation>case oder subject</translation>
    </message>
    <message>
        <source>Column that says which rows are of one subject. Left empty, case or subject, where there is one.</source>
        <translation>Spalte, die sagt, welche Zeilen zu einem Probanden gehören. Leer: case oder subject, sofern vorhanden.</translation>
    </message>
    <message>
        <source>Pair:</source>
        <translation>Paar:</translation>
    </message>
    <message>
        <source>calcaneus subtalar, calcaneus tuber</source>
        <translation>calcaneus subtalar, calcaneus tuber</translation>
    </message>
    <message>
        <source>The two groups whose differences are regressed, separated by a comma. Left empty where there are two groups only.</source>
        <translation>Die zwei Gruppen, deren Differenzen in die Regression gehen, durch ein Komma getrennt. Leer, wo es nur zwei Gruppen gibt.</translation>
    </message>
    <message>
        <source>Leave out:</source>
        <translation>Auslassen:</translation>
    </message>
    <message>
        <source>case=sub-10</source>
        <translation>case=sub-10</translation>
    </message>
    <message>
        <source>Rows that are left out, as column=value, separated by commas; &quot;case=sub-10 and region=talus&quot; is one row.</source>
        <translation>Auszulassende Zeilen als Spalte=Wert, durch Kommas getrennt; &quot;case=sub-10 and region=talus&quot; ist eine Zeile.</translation>
    </message>
    <message>
        <source>Regress</source>
        <translation>Regression berechnen</translation>
    </message>
    <message>
        <source>Fit lines: pooled, within groups, of paired differences, and with a mixed model.</source>
        <translation>Geraden anpassen: über alle, innerhalb der Gruppen, an gepaarte Differenzen und mit einem gemischten Modell.</translation>
    </message>
    <message>
        <source>Save figure…</source>
        <translation>Abbildung speichern …</translation>
    </message>
    <message>
        <source>Save the plot as PNG or SVG; needs the Python package matplotlib.</source>
        <translation>Das Diagramm als PNG oder SVG speichern; braucht das Python-Paket matplotlib.</translation>
    </message>
    <message>
        <source>Install statsmodels…</source>
        <translation>statsmodels installieren …</translation>
    </message>
    <message>
        <source>Install the Python package statsmodels, which the mixed model needs.</source>
        <translation>Das Python-Paket statsmodels installieren, das das gemischte Modell braucht.</translation>
    </message>
    <message>
        <source>Dataset:</source>
        <translation>Datensatz:</translation>
    </message>
    <message>
        <source>BIDS dataset: a folder with a folder for each subject.</source>
        <translation>BIDS-Datensatz: ein Ordner mit einem Ordner je Proband.</translation>
    </message>
    <message>
        <source>Output folder:</source>
        <translation>Ausgabeordner:</translation>
    </message>
    <message>
        <source>Folder for the results. What is finished there and unchanged is kept.</source>
        <translation>Ordner für die Ergebnisse. Was dort fertig und unverändert ist, bleibt.</translation>
    </message>
    <message>
        <source>Preset:</source>
        <translation>Voreinstellung:</translation>
    </message>
    <message>
        <source>Settings of the reconstruction, as in Trabecular QSM.</source>
        <translation>Einstellungen der Rekonstruktion, wie im Modul Trabekuläre QSM.</translation>
    </message>
    <message>
        <source>Files of each subject</source>
        <translation>Dateien jedes Probanden</translation>
    </message>
    <message>
        <source>Regions and other images that are measured, where there are some.</source>
        <translation>Regionen und andere Bilder, die gemessen werden, wo es welche gibt.</translation>
    </message>
    <message>
        <source>derivatives/regions/{folder}/anat/{name}_dseg.nii.gz</source>
        <translation>derivatives/regions/{folder}/anat/{name}_dseg.nii.gz</translation>
    </message>
    <message>
        <source>Regions drawn on the echo MIP. Where the file of each subject lies, from the dataset&apos;s folder: {name} is sub-01_ses-2, {folder} is sub-01/ses-2, * is anything.</source>
        <translation>Auf der Echo-MIP gezeichnete Regionen. Wo die Datei jedes Probanden liegt, vom Ordner des Datensatzes aus: {name} ist sub-01_ses-2, {folder} ist sub-01/ses-2, * steht für Beliebiges.</translation>
    </message>
    <message>
        <source>bSSFP:</source>
        <translation>bSSFP:</translation>
    </message>
    <message>
        <source>{folder}/anat/{name}_bSSFP.nii.gz</source>
        <translation>{folder}/anat/{name}_bSSFP.nii.gz</translation>
    </message>
    <message>
        <source>High-resolution image; it is registered to the echo MIP. Where the file of each subject lies, from the dataset&apos;s folder: {name} is sub-01_ses-2, {folder} is sub-01/ses-2, * is anything.</source>
        <translation>Hochaufgelöstes Bild; es wird auf die Echo-MIP registriert. Wo die Datei jedes Probanden liegt, vom Ordner des Datensatzes aus: {name} ist sub-01_ses-2, {folder} ist sub-01/ses-2, * steht für Beliebiges.</translation>
    </message>
    <message>
        <source>derivatives/bone/{folder}/anat/{name}_bone.nii.gz</source>
        <translation>derivatives/bone/{folder}/anat/{name}_bone.nii.gz</translation>
    </message>
    <message>
        <source>Pure bone on the bSSFP, for the apparent BV/TV. Where the file of each subject lies, from the dataset&apos;s folder: {name} is sub-01_ses-2, {folder} is sub-01/ses-2, * is anything.</source>
        <translation>Reiner Knochen auf der bSSFP, für das scheinbare BV/TV. Wo die Datei jedes Probanden liegt, vom Ordner des Datensatzes aus: {name} ist sub-01_ses-2, {folder} ist sub-01/ses-2, * steht für Beliebiges.</translation>
    </message>
    <message>
        <source>{folder}/anat/{name}_CT.nii.gz</source>
        <translation>{folder}/anat/{name}_CT.nii.gz</translation>
    </message>
    <message>
        <source>CT; it is registered to the echo MIP and measured. Where the file of each subject lies, from the dataset&apos;s folder: {name} is sub-01_ses-2, {folder} is sub-01/ses-2, * is anything.</source>
        <translation>CT; es wird auf die Echo-MIP registriert und gemessen. Wo die Datei jedes Probanden liegt, vom Ordner des Datensatzes aus: {name} ist sub-01_ses-2, {folder} ist sub-01/ses-2, * steht für Beliebiges.</translation>
    </message>
    <message>
        <source>Options</source>
        <translation>Optionen</translation>
    </message>
    <message>
        <source>Settings of a file, subjects at a time, and what is replaced.</source>
        <translation>Einstellungen aus einer Datei, Zahl gleichzeitiger Probanden, und was ersetzt wird.</translation>
    </message>
    <message>
        <source>Settings file:</source>
        <translation>Einstellungsdatei:</translation>
    </message>
    <message>
        <source>JSON sidecar of a map, whose settings are repeated instead of the preset.</source>
        <translation>JSON-Begleitdatei einer Karte, deren Einstellungen statt der Voreinstellung wiederholt werden.</translation>
    </message>
    <message>
        <source>Subjects at a time:</source>
        <translation>Probanden gleichzeitig:</translation>
    </message>
    <message>
        <source>automatic</source>
        <translation>automatisch</translation>
    </message>
    <message>
        <source>Each is worked on by a process of its own; automatic: as many as processors and memory allow.</source>
        <translation>Jeder wird von einem eigenen Prozess bearbeitet; automatisch: so viele, wie Prozessoren und Speicher erlauben.</translation>
    </message>
    <message>
        <source>Replace results:</source>
        <translation>Ergebnisse ersetzen:</translation>
    </message>
    <message>
        <source>of other inputs or settings</source>
        <translation>bei anderen Einstellungen</translation>
    </message>
    <message>
        <source>Replace results that are there and were made of other inputs, settings or version. Otherwise those subjects fail and say so.</source>
        <translation>Vorhandene Ergebnisse ersetzen, die aus anderen Eingaben, Einstellungen oder einer anderen Version stammen. Sonst schlagen diese Probanden fehl und melden es.</translation>
    </message>
    <message>
        <source>Find subjects</source>
        <translation>Probanden suchen</translation>
    </message>
    <message>
        <source>List the subjects of the dataset, with what each has and lacks; nothing is computed.</source>
        <translation>Die Probanden des Datensatzes auflisten, mit dem, was jeder hat und was fehlt; nichts wird berechnet.</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>Reconstruct and measure all subjects in processes of their own; the application goes on meanwhile. Press again to stop, and once more to go on with what is left.</source>
        <translation>Alle Probanden in eigenen Prozessen rekonstruieren und messen; die Anwendung läuft derweil weiter. Erneut drücken, um anzuhalten, und noch einmal, um mit dem Rest fortzufahren.</translation>
    </message>
    <message>
        <source>Double-click a subject that is finished to load and show its maps.</source>
        <translation>Einen fertigen Probanden doppelt anklicken, um seine Karten zu laden und zu zeigen.</translation>
    </message>
    <message>
        <source>Table and regression</source>
        <translation>Tabelle und Regression</translation>
    </message>
    <message>
        <source>Load the table of all subjects, and regress as step 7 says.</source>
        <translation>Die Tabelle aller Probanden laden und die Regression wie in Schritt 7 rechnen.</translation>
    </message>
</context>
<context>
    <name>TrabecularQSMSimulation</name>
    <message>
        <source>Trabecular QSM Simulation</source>
        <translation>Trabekuläre QSM: Simulation</translation>
    </message>
    <message>
        <source>Simulates how susceptibility and R2′ depend on bone density: random spheres, cylinders or plates of bone in a magnetic field, as in figures 7 and 8 of the paper. To try it: click Run. For research only, not for diagnosis.</source>
        <translation>Simuliert, wie Suszeptibilität und R2′ von der Knochendichte abhängen: zufällige Kugeln, Zylinder oder Platten aus Knochen in einem Magnetfeld, wie in den Abbildungen 7 und 8 der Veröffentlichung. Zum Ausprobieren: Starten anklicken. Nur für die Forschung, nicht zur Diagnose.</translation>
    </message>
    <message>
        <source>The simulation failed.</source>
        <translation>Die Simulation ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>The geometry could not be simulated.</source>
        <translation>Die Geometrie konnte nicht simuliert werden.</translation>
    </message>
    <message>
        <source>The protocol could not be assessed.</source>
        <translation>Das Protokoll konnte nicht beurteilt werden.</translation>
    </message>
    <message>
        <source>Simulated bone could not be scanned.</source>
        <translation>Der simulierte Knochen konnte nicht aufgenommen werden.</translation>
    </message>
    <message>
        <source>The sweep failed.</source>
        <translation>Die Messreihe ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Stop; nothing is added to the scene.</source>
        <translation>Anhalten; der Szene wird nichts hinzugefügt.</translation>
    </message>
    <message>
        <source>Previous layout</source>
        <translation>Vorherige Anordnung</translation>
    </message>
    <message>
        <source>Go back to the layout of views that was there before results were shown.</source>
        <translation>Zurück zur Anordnung der Ansichten, die es gab, bevor Ergebnisse gezeigt wurden.</translation>
    </message>
    <message>
        <source>Table and charts</source>
        <translation>Tabelle, Diagramme</translation>
    </message>
    <message>
        <source>Many geometries: what varies, and the run.</source>
        <translation>Viele Geometrien: was sich ändert, und der Lauf.</translation>
    </message>
    <message>
        <source>One geometry</source>
        <translation>Eine Geometrie</translation>
    </message>
    <message>
        <source>One geometry to look at.</source>
        <translation>Eine Geometrie zum Ansehen.</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>What all geometries share.</source>
        <translation>Was alle Geometrien gemeinsam haben.</translation>
    </message>
    <message>
        <source>Protocol</source>
        <translation>Protokoll</translation>
    </message>
    <message>
        <source>What a protocol tells before anybody is scanned.</source>
        <translation>Was ein Protokoll aussagt, bevor jemand untersucht wird.</translation>
    </message>
    <message>
        <source>Protocol on simulated bone</source>
        <translation>Protokoll am Knochen</translation>
    </message>
    <message>
        <source>What the protocol measures of bone whose BV/TV is known.</source>
        <translation>Was das Protokoll an Knochen misst, dessen BV/TV bekannt ist.</translation>
    </message>
    <message>
        <source>Number:</source>
        <translation>Anzahl:</translation>
    </message>
    <message>
        <source>Pieces of bone at random places of the region, overlap allowed: one or several whole numbers. Paper: 100 150 200 250 300.</source>
        <translation>Knochenstücke an zufälligen Orten der Region, Überlappung erlaubt: eine oder mehrere ganze Zahlen. Veröffentlichung: 100 150 200 250 300.</translation>
    </message>
    <message>
        <source>Radius [voxels]:</source>
        <translation>Radius [Voxel]:</translation>
    </message>
    <message>
        <source>Radius of spheres and cylinders, half the thickness of plates: one or several whole numbers. Paper: 5 7 10 12 15 17.</source>
        <translation>Radius von Kugeln und Zylindern, halbe Dicke von Platten: eine oder mehrere ganze Zahlen. Veröffentlichung: 5 7 10 12 15 17.</translation>
    </message>
    <message>
        <source>Δχ [ppm]:</source>
        <translation>Δχ [ppm]:</translation>
    </message>
    <message>
        <source>Susceptibility of bone less that of marrow: one or several numbers. More of them take no longer: they share the geometries. Paper: 0.5 1 1.5 2.</source>
        <translation>Suszeptibilität des Knochens abzüglich der des Marks: eine oder mehrere Zahlen. Mehr davon dauern nicht länger: sie teilen sich die Geometrien. Veröffentlichung: 0.5 1 1.5 2.</translation>
    </message>
    <message>
        <source>Repeats:</source>
        <translation>Wiederholungen:</translation>
    </message>
    <message>
        <source>Random geometries for each number and radius; their spread gives the standard errors. Paper: 100.</source>
        <translation>Zufällige Geometrien je Anzahl und Radius; ihre Streuung ergibt die Standardfehler. Veröffentlichung: 100.</translation>
    </message>
    <message>
        <source>Name:</source>
        <translation>Name:</translation>
    </message>
    <message>
        <source>Start of the names of the folder and of what is in it.</source>
        <translation>Anfang der Namen des Ordners und seines Inhalts.</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>Simulate every number and radius, and put table, summary and charts into a folder of the scene.</source>
        <translation>Jede Anzahl und jeden Radius simulieren und Tabelle, Zusammenfassung und Diagramme in einen Ordner der Szene legen.</translation>
    </message>
    <message>
        <source>Pieces of bone.</source>
        <translation>Knochenstücke.</translation>
    </message>
    <message>
        <source>Radius:</source>
        <translation>Radius:</translation>
    </message>
    <message>
        <source> voxels</source>
        <translation> Voxel</translation>
    </message>
    <message>
        <source>Their radius, or half their thickness.</source>
        <translation>Ihr Radius oder ihre halbe Dicke.</translation>
    </message>
    <message>
        <source>Δχ:</source>
        <translation>Δχ:</translation>
    </message>
    <message>
        <source> ppm</source>
        <translation> ppm</translation>
    </message>
    <message>
        <source>Susceptibility of bone less that of marrow.</source>
        <translation>Suszeptibilität des Knochens abzüglich der des Marks.</translation>
    </message>
    <message>
        <source>Repeat:</source>
        <translation>Wiederholung:</translation>
    </message>
    <message>
        <source>Which of the random geometries: the same as in a row of the table.</source>
        <translation>Welche der zufälligen Geometrien: dieselbe wie in einer Zeile der Tabelle.</translation>
    </message>
    <message>
        <source>Show geometry</source>
        <translation>Geometrie zeigen</translation>
    </message>
    <message>
        <source>Put bone as a segment, field and susceptibility as volumes into a folder of the scene, and show them.</source>
        <translation>Knochen als Segment, Feld und Suszeptibilität als Volumen in einen Ordner der Szene legen und zeigen.</translation>
    </message>
    <message>
        <source>Shape:</source>
        <translation>Form:</translation>
    </message>
    <message>
        <source>Shape of the pieces of bone. Paper: spheres. Cylinders and plates go through the whole region.</source>
        <translation>Form der Knochenstücke. Veröffentlichung: Kugeln. Zylinder und Platten gehen durch die ganze Region.</translation>
    </message>
    <message>
        <source>Orientation [R A S]:</source>
        <translation>Ausrichtung [R A S]:</translation>
    </message>
    <message>
        <source>Axis of cylinders, normal of plates.</source>
        <translation>Achse der Zylinder, Normale der Platten.</translation>
    </message>
    <message>
        <source>Concentration κ:</source>
        <translation>Konzentration κ:</translation>
    </message>
    <message>
        <source>How the directions lie about the orientation: 0 every direction alike, above 5 close to it, below 0 across it. Empty: all in it.</source>
        <translation>Wie die Richtungen um die Ausrichtung liegen: 0 alle gleich häufig, über 5 nahe an ihr, unter 0 quer zu ihr. Leer: alle in ihr.</translation>
    </message>
    <message>
        <source>Region size:</source>
        <translation>Größe der Region:</translation>
    </message>
    <message>
        <source>Voxels along an edge of the cubic region that holds the bone. Paper: 128.</source>
        <translation>Voxel entlang einer Kante der würfelförmigen Region, die den Knochen enthält. Veröffentlichung: 128.</translation>
    </message>
    <message>
        <source>Boundary:</source>
        <translation>Rand:</translation>
    </message>
    <message>
        <source>Surroundings of the region. periodic: an empty box three times as long that repeats itself, as in the paper; linear: empty space without end; filled: the region itself repeats, and has no mean χ.</source>
        <translation>Umgebung der Region. periodic: ein leerer, dreimal so langer Würfel, der sich wiederholt, wie in der Veröffentlichung; linear: leerer Raum ohne Ende; filled: die Region selbst wiederholt sich und hat kein mittleres χ.</translation>
    </message>
    <message>
        <source>B0 direction [R A S]:</source>
        <translation>Richtung von B0 [R A S]:</translation>
    </message>
    <message>
        <source>Direction of B0; the region&apos;s axes are the patient&apos;s. Paper: along one axis.</source>
        <translation>Richtung von B0; die Achsen der Region sind die des Patienten. Veröffentlichung: entlang einer Achse.</translation>
    </message>
    <message>
        <source>Field strength:</source>
        <translation>Feldstärke:</translation>
    </message>
    <message>
        <source> T</source>
        <translation> T</translation>
    </message>
    <message>
        <source>For R2′ in 1/s.</source>
        <translation>Für R2′ in 1/s.</translation>
    </message>
    <message>
        <source>Imaging voxel:</source>
        <translation>Bildvoxel:</translation>
    </message>
    <message>
        <source>whole region</source>
        <translation>ganze Region</translation>
    </message>
    <message>
        <source>Edge of the imaging voxels that R2′ is of, in voxels of the simulation: small ones show less. The whole region in the paper.</source>
        <translation>Kante der Bildvoxel, auf die sich R2′ bezieht, in Voxeln der Simulation: kleine zeigen weniger. In der Veröffentlichung die ganze Region.</translation>
    </message>
    <message>
        <source>Regularization λ:</source>
        <translation>Regularisierung λ:</translation>
    </message>
    <message>
        <source> voxels²</source>
        <translation> Voxel²</translation>
    </message>
    <message>
        <source>Weight of smoothness in the closed-form inversion, in squared voxels. The paper&apos;s tables come out with 0.788.</source>
        <translation>Gewicht der Glattheit in der Inversion in geschlossener Form, in Quadratvoxeln. Die Tabellen der Veröffentlichung ergeben sich mit 0,788.</translation>
    </message>
    <message>
        <source>Seed:</source>
        <translation>Startwert:</translation>
    </message>
    <message>
        <source>Start of the random numbers: the same seed gives the same geometries.</source>
        <translation>Anfang der Zufallszahlen: derselbe Startwert ergibt dieselben Geometrien.</translation>
    </message>
    <message>
        <source>Echo times [ms]:</source>
        <translation>Echozeiten [ms]:</translation>
    </message>
    <message>
        <source>R2′ is fitted to the decay of the signal over these echoes too, as a scan shows it; two or more, separated by spaces. Empty: only the width of the line.</source>
        <translation>R2′ wird auch an den Zerfall des Signals über diese Echos angepasst, wie ihn eine Aufnahme zeigt; zwei oder mehr, durch Leerzeichen getrennt. Leer: nur die Breite der Linie.</translation>
    </message>
    <message>
        <source>Fat fraction:</source>
        <translation>Fettanteil:</translation>
    </message>
    <message>
        <source>Of the marrow, for the decay; the fit knows it.</source>
        <translation>Des Marks, für den Zerfall; die Anpassung kennt ihn.</translation>
    </message>
    <message>
        <source>Fat model:</source>
        <translation>Fettmodell:</translation>
    </message>
    <message>
        <source>Spectrum of the marrow&apos;s fat, for the decay.</source>
        <translation>Spektrum des Fetts im Mark, für den Zerfall.</translation>
    </message>
    <message>
        <source>Signal of bone:</source>
        <translation>Signal des Knochens:</translation>
    </message>
    <message>
        <source>Proton density of bone against that of marrow, for the decay. 0 leaves bone dark.</source>
        <translation>Protonendichte des Knochens gegen die des Marks, für den Zerfall. 0 lässt Knochen dunkel.</translation>
    </message>
    <message>
        <source>T2 of bone:</source>
        <translation>T2 des Knochens:</translation>
    </message>
    <message>
        <source> ms</source>
        <translation> ms</translation>
    </message>
    <message>
        <source>How long the signal of bone lasts: it counts in early echoes only.</source>
        <translation>Wie lange das Signal des Knochens anhält: es zählt nur in frühen Echos.</translation>
    </message>
    <message>
        <source>SNR:</source>
        <translation>SNR:</translation>
    </message>
    <message>
        <source>no noise</source>
        <translation>kein Rauschen</translation>
    </message>
    <message>
        <source>Of an imaging voxel of marrow at time zero, for the decay.</source>
        <translation>Eines Bildvoxels aus Mark zur Zeit null, für den Zerfall.</translation>
    </message>
    <message>
        <source>Point spread:</source>
        <translation>Punktspreizfunktion:</translation>
    </message>
    <message>
        <source>How the imaging voxels see the signal. box: its mean over each; sinc: k-space as far as they need; hann: with a Hann window.</source>
        <translation>Wie die Bildvoxel das Signal sehen. box: sein Mittel über jedes; sinc: der k-Raum, so weit sie ihn brauchen; hann: mit einem Hann-Fenster.</translation>
    </message>
    <message>
        <source>Echo times in ms, separated by spaces; three or more. Paper: 1.25 to 6.85 in steps of 0.7.</source>
        <translation>Echozeiten in ms, durch Leerzeichen getrennt; drei oder mehr. Veröffentlichung: 1,25 bis 6,85 in Schritten von 0,7.</translation>
    </message>
    <message>
        <source>Interleaved trains:</source>
        <translation>Verschachtelte Echozüge:</translation>
    </message>
    <message>
        <source>Trains whose echoes take turns; each needs the scan&apos;s time once. Paper: 3.</source>
        <translation>Echozüge, die sich abwechseln; jeder braucht die Zeit der Aufnahme einmal. Veröffentlichung: 3.</translation>
    </message>
    <message>
        <source>Field strength and SNR:</source>
        <translation>Feldstärke und SNR:</translation>
    </message>
    <message>
        <source>Paper: 3 T.</source>
        <translation>Veröffentlichung: 3 T.</translation>
    </message>
    <message>
        <source>Mean magnitude of marrow in the first echo over the standard deviation of the noise in the real channel, which is that of the magnitude of air over 0.655.</source>
        <translation>Mittlere Magnitude des Marks im ersten Echo geteilt durch die Standardabweichung des Rauschens im reellen Kanal, also die der Magnitude von Luft geteilt durch 0,655.</translation>
    </message>
    <message>
        <source>Voxel size [mm]:</source>
        <translation>Voxelgröße [mm]:</translation>
    </message>
    <message>
        <source>Along I, J, K. Paper: 1.5 1.5 1.5.</source>
        <translation>Entlang I, J, K. Veröffentlichung: 1.5 1.5 1.5.</translation>
    </message>
    <message>
        <source>Bandwidth and read-out:</source>
        <translation>Bandbreite und Auslesen:</translation>
    </message>
    <message>
        <source> Hz</source>
        <translation> Hz</translation>
    </message>
    <message>
        <source>not known</source>
        <translation>nicht bekannt</translation>
    </message>
    <message>
        <source>Of one voxel along the read-out; it decides how close echoes can be. Paper: 1431.</source>
        <translation>Eines Voxels entlang der Auslesung; sie bestimmt, wie dicht Echos liegen können. Veröffentlichung: 1431.</translation>
    </message>
    <message>
        <source>monopolar: all echoes of a train are read in one direction; bipolar: every other one backwards. Paper: monopolar.</source>
        <translation>monopolar: alle Echos eines Echozugs werden in einer Richtung ausgelesen; bipolar: jedes zweite in Gegenrichtung. Veröffentlichung: monopolar.</translation>
    </message>
    <message>
        <source>Flip angle and TR:</source>
        <translation>Kippwinkel und TR:</translation>
    </message>
    <message>
        <source>°</source>
        <translation>°</translation>
    </message>
    <message>
        <source>How far each pulse turns, by which T1 makes the fat fraction too high. Paper: 5.</source>
        <translation>Wie weit jeder Puls dreht, wodurch T1 den Fettanteil zu hoch macht. Veröffentlichung: 5.</translation>
    </message>
    <message>
        <source>Time from pulse to pulse. Paper: 13.</source>
        <translation>Zeit von Puls zu Puls. Veröffentlichung: 13.</translation>
    </message>
    <message>
        <source>Longest echo:</source>
        <translation>Spätestes Echo:</translation>
    </message>
    <message>
        <source>as given</source>
        <translation>wie angegeben</translation>
    </message>
    <message>
        <source>How late the last echo of a better train can be, which TR decides.</source>
        <translation>Wie spät das letzte Echo eines besseren Echozugs sein darf, was TR bestimmt.</translation>
    </message>
    <message>
        <source>Draws in an ankle:</source>
        <translation>Rauschziehungen:</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keine</translation>
    </message>
    <message>
        <source>Draws of noise that go the whole way through a digital ankle, for χ of regions as a reconstruction has it; 50 tell its noise to 10 %. It takes minutes. Patient and reconstruction are those of the step Protocol on simulated bone. None: noise alike in all voxels, which is a lower bound.</source>
        <translation>Ziehungen des Rauschens, die den ganzen Weg durch ein digitales Sprunggelenk gehen, für χ von Regionen, wie eine Rekonstruktion es hat; 50 bestimmen sein Rauschen auf 10 %. Es dauert Minuten. Patient und Rekonstruktion sind die des Schritts Protokoll am Knochen. Keine: Rauschen in allen Voxeln gleich, was eine untere Grenze ist.</translation>
    </message>
    <message>
        <source>Assess protocol</source>
        <translation>Protokoll beurteilen</translation>
    </message>
    <message>
        <source>Put a table of noise, swaps, bias, a better echo train and the subjects needed, with charts, into a folder of the scene.</source>
        <translation>Eine Tabelle von Rauschen, Wasser-Fett-Vertauschungen, systematischer Abweichung, einem besseren Echozug und der nötigen Zahl von Probanden, mit Diagrammen, in einen Ordner der Szene legen.</translation>
    </message>
    <message>
        <source>BV/TV:</source>
        <translation>BV/TV:</translation>
    </message>
    <message>
        <source>Share of bone in the blocks of simulated trabeculae, 0.01 to 0.7, separated by spaces. Three or more tell slope and bias.</source>
        <translation>Knochenanteil der Blöcke aus simulierten Trabekeln, 0,01 bis 0,7, durch Leerzeichen getrennt. Drei oder mehr zeigen Steigung und Abweichung.</translation>
    </message>
    <message>
        <source>Random geometries for each BV/TV; in a scan also another patient and draw of noise.</source>
        <translation>Zufällige Geometrien je BV/TV; bei einer Aufnahme auch ein anderer Patient und anderes Rauschen.</translation>
    </message>
    <message>
        <source>Pieces of bone</source>
        <translation>Knochenstücke</translation>
    </message>
    <message>
        <source>Their shape, size and direction.</source>
        <translation>Ihre Form, Größe und Richtung.</translation>
    </message>
    <message>
        <source>Shape of the pieces of bone.</source>
        <translation>Form der Knochenstücke.</translation>
    </message>
    <message>
        <source> × 0.1 mm</source>
        <translation> × 0,1 mm</translation>
    </message>
    <message>
        <source>Of the pieces of bone, in voxels of 0.1 mm; half the thickness of plates.</source>
        <translation>Der Knochenstücke, in Voxeln von 0,1 mm; halbe Dicke von Platten.</translation>
    </message>
    <message>
        <source>Of cylinders, or of the normal of plates, in the patient.</source>
        <translation>Der Zylinder oder der Normalen von Platten, im Patienten.</translation>
    </message>
    <message>
        <source>Start of the random numbers: the same seed gives the same blocks.</source>
        <translation>Anfang der Zufallszahlen: derselbe Startwert gibt dieselben Blöcke.</translation>
    </message>
    <message>
        <source>Reconstruction of the scan</source>
        <translation>Rekonstruktion der Aufnahme</translation>
    </message>
    <message>
        <source>How the scanned blocks become maps.</source>
        <translation>Wie aus den aufgenommenen Blöcken Karten werden.</translation>
    </message>
    <message>
        <source>Preset:</source>
        <translation>Voreinstellung:</translation>
    </message>
    <message>
        <source>Settings of the reconstruction of the scanned blocks.</source>
        <translation>Einstellungen der Rekonstruktion der aufgenommenen Blöcke.</translation>
    </message>
    <message>
        <source>Inversion:</source>
        <translation>Inversion:</translation>
    </message>
    <message>
        <source>Dipole inversion instead of the preset&apos;s; closed-form is the fastest.</source>
        <translation>Dipolinversion statt der der Voreinstellung; closed-form ist die schnellste.</translation>
    </message>
    <message>
        <source>Scan</source>
        <translation>Aufnehmen</translation>
    </message>
    <message>
        <source>Put each block into the heel bone of the digital ankle, scan it with the protocol, reconstruct and measure it: susceptibility, R2* and fat fraction over BV/TV against the truth, as a table with charts.</source>
        <translation>Setzt jeden Block in das Fersenbein des digitalen Sprunggelenks, nimmt ihn mit dem Protokoll auf, rekonstruiert und misst ihn: Suszeptibilität, R2* und Fettanteil über BV/TV gegen die Wahrheit, als Tabelle mit Diagrammen.</translation>
    </message>
    <message>
        <source>Conditions of the sweep</source>
        <translation>Bedingungen der Messreihe</translation>
    </message>
    <message>
        <source>What is varied; empty: as in the step Protocol.</source>
        <translation>Was verändert wird; leer: wie im Schritt Protokoll.</translation>
    </message>
    <message>
        <source>Field strengths [T]:</source>
        <translation>Feldstärken [T]:</translation>
    </message>
    <message>
        <source>the protocol&apos;s</source>
        <translation>die des Protokolls</translation>
    </message>
    <message>
        <source>One or several, separated by spaces. Every combination of all conditions is measured, in the same geometries.</source>
        <translation>Eine oder mehrere, durch Leerzeichen getrennt. Jede Kombination aller Bedingungen wird gemessen, in denselben Geometrien.</translation>
    </message>
    <message>
        <source>Voxels [mm]:</source>
        <translation>Voxel [mm]:</translation>
    </message>
    <message>
        <source>of the protocol&apos;s volume</source>
        <translation>vom Volumen derer des Protokolls</translation>
    </message>
    <message>
        <source>Edges of cubic voxels, separated by spaces.</source>
        <translation>Kanten würfelförmiger Voxel, durch Leerzeichen getrennt.</translation>
    </message>
    <message>
        <source>Angles of B0 [°]:</source>
        <translation>Winkel von B0 [°]:</translation>
    </message>
    <message>
        <source>Angles between B0 and the patient&apos;s S, towards R, separated by spaces; with cylinders along 0 0 1 that to the bone.</source>
        <translation>Winkel zwischen B0 und S des Patienten, nach R hin, durch Leerzeichen getrennt; bei Zylindern entlang 0 0 1 der zum Knochen.</translation>
    </message>
    <message>
        <source>Other echoes [ms]:</source>
        <translation>Andere Echos [ms]:</translation>
    </message>
    <message>
        <source>Echo times of other trains to compare with the protocol&apos;s, separated by spaces; a semicolon between two trains.</source>
        <translation>Echozeiten anderer Echozüge zum Vergleich mit dem des Protokolls, durch Leerzeichen getrennt; ein Strichpunkt zwischen zwei Zügen.</translation>
    </message>
    <message>
        <source>Sweep</source>
        <translation>Messreihe rechnen</translation>
    </message>
    <message>
        <source>Measure each block under every combination of conditions, without noise and without an ankle: R2*, bias of the fat fraction and what comes back of susceptibility, as a table with charts.</source>
        <translation>Misst jeden Block unter jeder Kombination von Bedingungen, ohne Rauschen und ohne Sprunggelenk: R2*, Abweichung des Fettanteils und was von der Suszeptibilität zurückkommt, als Tabelle mit Diagrammen.</translation>
    </message>
</context>
<context>
    <name>gui.analysis</name>
    <message>
        <source>rods</source>
        <translation>Stäbe</translation>
    </message>
    <message>
        <source>There is no fat fraction with an echo MIP on one grid</source>
        <translation>Fettanteil und Echo-MIP auf einem Gitter fehlen</translation>
    </message>
    <message>
        <source>Select the volume to draw on</source>
        <translation>Das Volumen wählen, auf dem gezeichnet wird</translation>
    </message>
    <message>
        <source>Select the regions</source>
        <translation>Die Regionen wählen</translation>
    </message>
    <message>
        <source>Select the region to split</source>
        <translation>Die zu teilende Region wählen</translation>
    </message>
    <message>
        <source>Select the fixed volume</source>
        <translation>Das feste Volumen wählen</translation>
    </message>
    <message>
        <source>Select the moving volume</source>
        <translation>Das bewegliche Volumen wählen</translation>
    </message>
    <message>
        <source>Fixed and moving must be two volumes</source>
        <translation>Fest und beweglich müssen zwei Volumen sein</translation>
    </message>
    <message>
        <source>Select the points on both volumes</source>
        <translation>Die Punkte auf beiden Volumen wählen</translation>
    </message>
    <message>
        <source>Enter the case</source>
        <translation>Den Fall eingeben</translation>
    </message>
    <message>
        <source>Tick at least one map</source>
        <translation>Mindestens eine Karte ankreuzen</translation>
    </message>
    <message>
        <source>Select the bSSFP image</source>
        <translation>Das bSSFP-Bild wählen</translation>
    </message>
    <message>
        <source>Select the bone segment</source>
        <translation>Das Knochensegment wählen</translation>
    </message>
    <message>
        <source>Tick at least two phase cycles</source>
        <translation>Mindestens zwei Phasenzyklen ankreuzen</translation>
    </message>
    <message>
        <source>Select the CT</source>
        <translation>Das CT wählen</translation>
    </message>
    <message>
        <source>Enter at least two rods, each with its density</source>
        <translation>Mindestens zwei Stäbe mit ihrer Dichte eingeben</translation>
    </message>
    <message>
        <source>Tick at least one volume</source>
        <translation>Mindestens ein Volumen ankreuzen</translation>
    </message>
    <message>
        <source>Select a line</source>
        <translation>Eine Linie wählen</translation>
    </message>
    <message>
        <source>Tick at least one table</source>
        <translation>Mindestens eine Tabelle ankreuzen</translation>
    </message>
    <message>
        <source>Enter x and y</source>
        <translation>x und y eingeben</translation>
    </message>
    <message>
        <source>Enter rows to leave out as column=value</source>
        <translation>Auszulassende Zeilen als Spalte=Wert eingeben</translation>
    </message>
    <message>
        <source>Enter two groups as the pair</source>
        <translation>Zwei Gruppen als Paar eingeben</translation>
    </message>
    <message>
        <source>Proposed in {volume}: {names}.</source>
        <translation>Vorgeschlagen in {volume}: {names}.</translation>
    </message>
    <message>
        <source>Look at each region before you measure.</source>
        <translation>Jede Region ansehen, bevor gemessen wird.</translation>
    </message>
    <message>
        <source>Registered before with these images and options; nothing changed.</source>
        <translation>Mit diesen Bildern und Optionen schon registriert; nichts geändert.</translation>
    </message>
    <message>
        <source>Quality {quality:.2f} (0 to 1), overlap {overlap:.0%}; look at the checkerboard.</source>
        <translation>Qualität {quality:.2f} (0 bis 1), Überlappung {overlap:.0%}; bitte das Schachbrett ansehen.</translation>
    </message>
    <message>
        <source>Added {name}.</source>
        <translation>{name} hinzugefügt.</translation>
    </message>
    <message>
        <source>{name}: one row.</source>
        <translation>{name}: eine Zeile.</translation>
    </message>
    <message>
        <source>{name}: {count} rows.</source>
        <translation>{name}: {count} Zeilen.</translation>
    </message>
    <message>
        <source>Density = {slope:.4g} mg/cm³ per HU × attenuation {intercept:+.4g} mg/cm³.</source>
        <translation>Dichte = {slope:.4g} mg/cm³ je HU × Schwächung {intercept:+.4g} mg/cm³.</translation>
    </message>
    <message>
        <source>Pooled: slope {slope}, R² {r2:.3f}, p {p:.2g}, n {n}.</source>
        <translation>Über alle: Steigung {slope}, R² {r2:.3f}, p {p:.2g}, n {n}.</translation>
    </message>
</context>
<context>
    <name>gui.cohort</name>
    <message>
        <source>Choose the dataset</source>
        <translation>Den Datensatz wählen</translation>
    </message>
    <message>
        <source>Choose the output folder</source>
        <translation>Den Ausgabeordner wählen</translation>
    </message>
    <message>
        <source>A cohort is running</source>
        <translation>Eine Kohorte läuft</translation>
    </message>
    <message>
        <source>Cancelling…</source>
        <translation>Wird abgebrochen …</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>There are no results yet</source>
        <translation>Es gibt noch keine Ergebnisse</translation>
    </message>
    <message>
        <source>The subjects could not be listed.</source>
        <translation>Die Probanden konnten nicht aufgelistet werden.</translation>
    </message>
    <message>
        <source>One subject, {memory} GB, about {time}.</source>
        <translation>Ein Proband, {memory} GB, etwa {time}.</translation>
    </message>
    <message>
        <source>{count} subjects, {memory} GB each, {workers} at a time: about {time}.</source>
        <translation>{count} Probanden, je {memory} GB, {workers} gleichzeitig: etwa {time}.</translation>
    </message>
    <message>
        <source>{count} of them lack files.</source>
        <translation>{count} von ihnen fehlen Dateien.</translation>
    </message>
    <message>
        <source>The cohort could not be started.</source>
        <translation>Die Kohorte konnte nicht gestartet werden.</translation>
    </message>
    <message>
        <source>Running.</source>
        <translation>Läuft.</translation>
    </message>
    <message>
        <source>{done} of {count} subjects are finished.</source>
        <translation>{done} von {count} Probanden sind fertig.</translation>
    </message>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>The cohort failed.</source>
        <translation>Die Kohorte ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>What there is to know of each subject is told with its maps.</source>
        <translation>Was zu jedem Probanden zu wissen ist, wird mit seinen Karten gesagt.</translation>
    </message>
    <message>
        <source>Subject</source>
        <translation>Proband</translation>
    </message>
    <message>
        <source>Has</source>
        <translation>Hat</translation>
    </message>
    <message>
        <source>Lacks</source>
        <translation>Fehlt</translation>
    </message>
    <message>
        <source>GB</source>
        <translation>GB</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>State</source>
        <translation>Status</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>fehlgeschlagen</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>fertig</translation>
    </message>
    <message>
        <source>waiting</source>
        <translation>wartet</translation>
    </message>
    <message>
        <source>{count} images</source>
        <translation>{count} Bilder</translation>
    </message>
    <message>
        <source>{name} is not finished; there are no maps yet.</source>
        <translation>{name} ist nicht fertig; es gibt noch keine Karten.</translation>
    </message>
    <message>
        <source>The maps could not be loaded.</source>
        <translation>Die Karten konnten nicht geladen werden.</translation>
    </message>
    <message>
        <source>The table could not be loaded.</source>
        <translation>Die Tabelle konnte nicht geladen werden.</translation>
    </message>
    <message>
        <source>No regression:</source>
        <translation>Keine Regression:</translation>
    </message>
</context>
<context>
    <name>gui.connectors</name>
    <message>
        <source>The segment that was selected in {name} is gone; {other} is selected now.</source>
        <translation>Das Segment, das in {name} gewählt war, gibt es nicht mehr; gewählt ist jetzt {other}.</translation>
    </message>
</context>
<context>
    <name>gui.numbers</name>
    <message>
        <source>The {what} are {text!r}; write decimals with a point, and separate numbers by spaces.</source>
        <translation>{what}: {text!r} gefunden; bitte Dezimalzahlen mit Punkt schreiben und Zahlen durch Leerzeichen trennen.</translation>
    </message>
    <message>
        <source>The {what} are {text!r}; give numbers separated by spaces.</source>
        <translation>{what}: {text!r} gefunden; bitte durch Leerzeichen getrennte Zahlen angeben.</translation>
    </message>
    <message>
        <source>The {what} are {text!r}; give whole numbers.</source>
        <translation>{what}: {text!r} gefunden; bitte ganze Zahlen angeben.</translation>
    </message>
    <message>
        <source>The {what} is {text!r}; give one number.</source>
        <translation>{what}: {text!r} gefunden; bitte eine Zahl angeben.</translation>
    </message>
</context>
<context>
    <name>gui.packages</name>
    <message>
        <source>The Python package {package} is needed. Install it into 3D Slicer?</source>
        <translation>Das Python-Paket {package} wird gebraucht. In 3D Slicer installieren?</translation>
    </message>
    <message>
        <source>The Python packages {package} are needed. Install them into 3D Slicer?</source>
        <translation>Die Python-Pakete {package} werden gebraucht. In 3D Slicer installieren?</translation>
    </message>
    <message>
        <source>Cancelled: {packages} is needed and was not installed.</source>
        <translation>Abgebrochen: {packages} wird gebraucht und wurde nicht installiert.</translation>
    </message>
</context>
<context>
    <name>gui.panel</name>
    <message>
        <source>This version cannot read these parameters of the scene; they have their defaults now: {names}.</source>
        <translation>Diese Version kann folgende Parameter der Szene nicht lesen; sie haben nun ihre Standardwerte: {names}.</translation>
    </message>
    <message>
        <source>Check the parameters (see tooltip)</source>
        <translation>Bitte die Parameter prüfen (siehe Tooltip)</translation>
    </message>
</context>
<context>
    <name>gui.preview</name>
    <message>
        <source>{value:g} {unit} (preset)</source>
        <translation>{value:g} {unit} (vorgegeben)</translation>
    </message>
    <message>
        <source>{name}, λ {value:.3g} {unit} ({factor:.3g} × preset)</source>
        <translation>{name}, λ {value:.3g} {unit} ({factor:.3g} × Voreinstellung)</translation>
    </message>
    <message>
        <source>Run {name} with λ {value:.3g} {unit}</source>
        <translation>{name} mit λ {value:.3g} {unit} rechnen</translation>
    </message>
    <message>
        <source>Apply first, then try λ</source>
        <translation>Erst anwenden, dann λ ausprobieren</translation>
    </message>
    <message>
        <source>Set Stop after to nothing</source>
        <translation>&apos;Aufhören nach&apos; auf nothing setzen</translation>
    </message>
    <message>
        <source>Select the scan of the chosen run</source>
        <translation>Aufnahme des gewählten Laufs wählen</translation>
    </message>
    <message>
        <source>λ is the preset&apos;s again, since each inversion has a λ of its own.</source>
        <translation>λ ist wieder das der Voreinstellung, denn jede Inversion hat ein eigenes.</translation>
    </message>
    <message>
        <source>Shown: {name}; the maps of the run stay as they are.</source>
        <translation>Gezeigt: {name}; die Karten des Laufs bleiben, wie sie sind.</translation>
    </message>
</context>
<context>
    <name>gui.protocol</name>
    <message>
        <source>echo times</source>
        <translation>Echozeiten</translation>
    </message>
    <message>
        <source>voxel sizes</source>
        <translation>Voxelgrößen</translation>
    </message>
    <message>
        <source>values of BV/TV</source>
        <translation>BV/TV-Werte</translation>
    </message>
    <message>
        <source>components of the orientation</source>
        <translation>Komponenten der Ausrichtung</translation>
    </message>
    <message>
        <source>concentration</source>
        <translation>Konzentration</translation>
    </message>
    <message>
        <source>field strengths</source>
        <translation>Feldstärken</translation>
    </message>
    <message>
        <source>angles</source>
        <translation>Winkel</translation>
    </message>
    <message>
        <source>Assess protocol (about {time}, {memory} GB)</source>
        <translation>Protokoll beurteilen (etwa {time}, {memory} GB)</translation>
    </message>
    <message>
        <source>Enter the echo times</source>
        <translation>Die Echozeiten eingeben</translation>
    </message>
    <message>
        <source>Enter values of BV/TV</source>
        <translation>Werte von BV/TV eingeben</translation>
    </message>
    <message>
        <source>Sweep (blocks: {count}, about {time}, {memory} GB)</source>
        <translation>Messreihe rechnen (Blöcke: {count}, etwa {time}, {memory} GB)</translation>
    </message>
    <message>
        <source>Scan (blocks: {count}, about {time}, {memory} GB)</source>
        <translation>Aufnehmen (Blöcke: {count}, etwa {time}, {memory} GB)</translation>
    </message>
    <message>
        <source>It takes about {needed} GB of memory, and {free} GB are free; take larger voxels, or close programs.</source>
        <translation>Es braucht etwa {needed} GB Speicher, und {free} GB sind frei; nehmen Sie größere Voxel, oder schließen Sie Programme.</translation>
    </message>
    <message>
        <source>Noise of a voxel: field {field:.3g} Hz, R2* {r2star:.3g} 1/s, fat fraction {pdff:.2g}; χ of a region of {radius:g} mm: {chi:.2g} ppm. Subjects in each of two groups: {count}.</source>
        <translation>Rauschen eines Voxels: Feld {field:.3g} Hz, R2* {r2star:.3g} 1/s, Fettanteil {pdff:.2g}; χ einer Region von {radius:g} mm: {chi:.2g} ppm. Probanden in jeder von zwei Gruppen: {count}.</translation>
    </message>
    <message>
        <source>No better echo train was found for the same time.</source>
        <translation>Für dieselbe Zeit wurde kein besserer Echozug gefunden.</translation>
    </message>
    <message>
        <source>Less noise in the same time: echoes at {times} ms, trains: {trains}.</source>
        <translation>Weniger Rauschen in derselben Zeit: Echos bei {times} ms, Echozüge: {trains}.</translation>
    </message>
    <message>
        <source>Bandwidth and read-out</source>
        <translation>Bandbreite und Auslesen</translation>
    </message>
    <message>
        <source>Interleaved trains</source>
        <translation>Verschachtelte Echozüge</translation>
    </message>
    <message>
        <source>Echo times</source>
        <translation>Echozeiten</translation>
    </message>
    <message>
        <source>Radius</source>
        <translation>Radius</translation>
    </message>
    <message>
        <source>Measured blocks: {count}. Three or more of different BV/TV tell slope and bias.</source>
        <translation>Gemessene Blöcke: {count}. Drei oder mehr von verschiedenem BV/TV zeigen Steigung und Abweichung.</translation>
    </message>
    <message>
        <source>With BV/TV from 0 to 1, χ changes by {chi:+.3g} ppm ({share:.0%} of the true change) and R2* by {r2star:+.3g} 1/s; they tell BV/TV to {byChi:.2g} and {byR2star:.2g}. The fat fraction is off by {bias:+.3f}.</source>
        <translation>Mit BV/TV von 0 bis 1 ändern sich χ um {chi:+.3g} ppm ({share:.0%} der wahren Änderung) und R2* um {r2star:+.3g} 1/s; sie zeigen BV/TV auf {byChi:.2g} und {byR2star:.2g} genau. Der Fettanteil weicht um {bias:+.3f} ab.</translation>
    </message>
    <message>
        <source>R2* {low:.0f} to {high:.0f} 1/s, fat fraction off by {least:+.3f} to {most:+.3f}, {less:.0%} to {more:.0%} of χ comes back. All charts lie in the folder {name}.</source>
        <translation>R2* {low:.0f} bis {high:.0f} 1/s, Fettanteil um {least:+.3f} bis {most:+.3f} daneben, {less:.0%} bis {more:.0%} von χ kommen zurück. Alle Diagramme liegen im Ordner {name}.</translation>
    </message>
</context>
<context>
    <name>gui.reconstruction</name>
    <message>
        <source>Apply first: there are no maps</source>
        <translation>Zuerst anwenden: es gibt keine Karten</translation>
    </message>
    <message>
        <source>Choose the scan&apos;s DICOM files</source>
        <translation>Die DICOM-Dateien der Aufnahme wählen</translation>
    </message>
    <message>
        <source>Choose the folder to write</source>
        <translation>Den Ordner zum Schreiben wählen</translation>
    </message>
    <message>
        <source>Select the magnitude sequence</source>
        <translation>Die Magnitudensequenz wählen</translation>
    </message>
    <message>
        <source>Select the phase sequence</source>
        <translation>Die Phasensequenz wählen</translation>
    </message>
    <message>
        <source>Magnitude and phase must be two sequences</source>
        <translation>Magnitude und Phase müssen zwei Sequenzen sein</translation>
    </message>
    <message>
        <source>The magnitude sequence holds no volumes</source>
        <translation>Die Sequenz der Magnitude enthält keine Volumen</translation>
    </message>
    <message>
        <source>The phase sequence holds no volumes</source>
        <translation>Die Sequenz der Phase enthält keine Volumen</translation>
    </message>
    <message>
        <source>Magnitude and phase differ in number of echoes</source>
        <translation>Magnitude und Phase haben verschieden viele Echos</translation>
    </message>
    <message>
        <source>At least three echoes are needed</source>
        <translation>Mindestens drei Echos sind nötig</translation>
    </message>
    <message>
        <source>Select a mask segment</source>
        <translation>Ein Maskensegment wählen</translation>
    </message>
    <message>
        <source>Enter the field strength</source>
        <translation>Die Feldstärke eingeben</translation>
    </message>
    <message>
        <source>components of B0</source>
        <translation>Komponenten von B0</translation>
    </message>
    <message>
        <source>Enter three numbers for the direction of B0</source>
        <translation>Drei Zahlen für die Richtung von B0 eingeben</translation>
    </message>
    <message>
        <source>Enter {count} echo times in ms</source>
        <translation>{count} Echozeiten in ms eingeben</translation>
    </message>
    <message>
        <source>Enter echo times that increase from above zero</source>
        <translation>Steigende Echozeiten über null eingeben</translation>
    </message>
    <message>
        <source>Enter the echo times in ms</source>
        <translation>Die Echozeiten in ms eingeben</translation>
    </message>
    <message>
        <source>echo times</source>
        <translation>Echozeiten</translation>
    </message>
    <message>
        <source>λ values</source>
        <translation>Werte von λ</translation>
    </message>
    <message>
        <source>Tick the magnitude volumes</source>
        <translation>Die Volumen der Magnitude ankreuzen</translation>
    </message>
    <message>
        <source>Tick the phase volumes</source>
        <translation>Die Volumen der Phase ankreuzen</translation>
    </message>
    <message>
        <source>Tick as many phase as magnitude volumes</source>
        <translation>Gleich viele Volumen beider Arten ankreuzen</translation>
    </message>
    <message>
        <source>Enter one echo time in ms for each volume</source>
        <translation>Für jedes Volumen eine Echozeit in ms eingeben</translation>
    </message>
    <message>
        <source>{name}: one echo of {shape} voxels, {size} mm, {strength}.</source>
        <translation>{name}: ein Echo aus {shape} Voxeln, {size} mm, {strength}.</translation>
    </message>
    <message>
        <source>{name}: {count} echoes of {shape} voxels, {size} mm, {strength}.</source>
        <translation>{name}: {count} Echos von {shape} Voxeln, {size} mm, {strength}.</translation>
    </message>
    <message>
        <source>field strength not known</source>
        <translation>Feldstärke nicht bekannt</translation>
    </message>
    <message>
        <source>Apply (about {time})</source>
        <translation>Anwenden (etwa {time})</translation>
    </message>
    <message>
        <source>Compute L-curve ({count} values, about {time})</source>
        <translation>L-Kurve berechnen ({count} Werte, etwa {time})</translation>
    </message>
    <message>
        <source> The time is foretold from the last run of this session.</source>
        <translation> Die Zeit ist aus dem letzten Lauf dieser Sitzung geschätzt.</translation>
    </message>
    <message>
        <source> The time is foretold for two cores of a laptop; after a run, from that run.</source>
        <translation> Die Zeit ist für zwei Kerne eines Laptops geschätzt; nach einem Lauf aus diesem.</translation>
    </message>
    <message>
        <source>Cancelling…</source>
        <translation>Wird abgebrochen …</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Stop; nothing is added to the scene.</source>
        <translation>Anhalten; der Szene wird nichts hinzugefügt.</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>Anwenden</translation>
    </message>
    <message>
        <source>Compute the maps and put them into a folder of the scene.</source>
        <translation>Die Karten berechnen und in einen Ordner der Szene legen.</translation>
    </message>
    <message>
        <source>Added one map.</source>
        <translation>Eine Karte hinzugefügt.</translation>
    </message>
    <message>
        <source>Added {count} maps.</source>
        <translation>{count} Karten hinzugefügt.</translation>
    </message>
    <message>
        <source>What to know of them stands under &apos;Results&apos;, in {count} notes.</source>
        <translation>Was dazu zu wissen ist, steht unter „Ergebnisse“, in {count} Hinweisen.</translation>
    </message>
    <message>
        <source>voxel sizes</source>
        <translation>Voxelgrößen</translation>
    </message>
    <message>
        <source>field strength</source>
        <translation>Feldstärke</translation>
    </message>
</context>
<context>
    <name>gui.results</name>
    <message>
        <source>L-curve: largest curvature at λ = {value}.</source>
        <translation>L-Kurve: stärkste Krümmung bei λ = {value}.</translation>
    </message>
    <message>
        <source>L-curve: largest curvature at λ = {value}, zero curvature at λ = {zero}.</source>
        <translation>L-Kurve: stärkste Krümmung bei λ = {value}, Krümmung null bei λ = {zero}.</translation>
    </message>
    <message>
        <source>Changed in the panel since this run: {names}.</source>
        <translation>Seit diesem Lauf im Panel geändert: {names}.</translation>
    </message>
    <message>
        <source>Map</source>
        <translation>Karte</translation>
    </message>
    <message>
        <source>Unit</source>
        <translation>Einheit</translation>
    </message>
    <message>
        <source>Window</source>
        <translation>Fenster</translation>
    </message>
    <message>
        <source>Shown; click to hide it.</source>
        <translation>Wird gezeigt; zum Verbergen anklicken.</translation>
    </message>
    <message>
        <source>Click to show {name}.</source>
        <translation>Anklicken, um {name} zu zeigen.</translation>
    </message>
    <message>
        <source>χ by {inversion} with λ {value:.4g} {unit}, background removal {background}.</source>
        <translation>χ durch {inversion} mit λ {value:.4g} {unit}, Hintergrundentfernung {background}.</translation>
    </message>
    <message>
        <source>No maps yet: click Apply.</source>
        <translation>Noch keine Karten: auf Anwenden klicken.</translation>
    </message>
    <message>
        <source>The fit is reliable in most of the mask</source>
        <translation>Die Anpassung ist im größten Teil der Maske zuverlässig</translation>
    </message>
    <message>
        <source>The fit is fair in the mask; look at the map of reliability</source>
        <translation>Die Anpassung ist in der Maske mäßig gut; die Karte der Zuverlässigkeit ansehen</translation>
    </message>
    <message>
        <source>Most of the fit is doubtful; look at the map of reliability</source>
        <translation>Der größte Teil der Anpassung ist zweifelhaft; die Karte der Zuverlässigkeit ansehen</translation>
    </message>
    <message>
        <source>{sentence} (median {value:.2f} of 1).</source>
        <translation>{sentence} (Median {value:.2f} von 1).</translation>
    </message>
</context>
<context>
    <name>gui.run</name>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
</context>
<context>
    <name>gui.samples</name>
    <message>
        <source>The phantom could not be made.</source>
        <translation>Das Phantom konnte nicht erstellt werden.</translation>
    </message>
    <message>
        <source>The authors&apos; example scan is a file of 1.2 GB from {url}. If it turns out to be a MATLAB 7.3 file, reading it needs the Python package h5py. Download it?</source>
        <translation>Die Beispielaufnahme der Autoren ist eine Datei von 1.2 GB von {url}. Falls sie eine Datei von MATLAB 7.3 ist, braucht das Lesen das Python-Paket h5py. Herunterladen?</translation>
    </message>
    <message>
        <source>Download sample data</source>
        <translation>Beispieldaten herunterladen</translation>
    </message>
    <message>
        <source>The example scan could not be loaded.</source>
        <translation>Die Beispielaufnahme konnte nicht geladen werden.</translation>
    </message>
    <message>
        <source>{url} could not be downloaded; try again later, or get data/{file} from the repository maxdiefenbach/trabecular_bone_QSM with git lfs and load it with &apos;From file…&apos;.</source>
        <translation>{url} konnte nicht heruntergeladen werden; später noch einmal versuchen, oder data/{file} mit git lfs aus dem Repository maxdiefenbach/trabecular_bone_QSM holen und mit &apos;Aus Datei…&apos; laden.</translation>
    </message>
</context>
<context>
    <name>gui.simulation</name>
    <message>
        <source>components of the orientation</source>
        <translation>Komponenten der Ausrichtung</translation>
    </message>
    <message>
        <source>concentration</source>
        <translation>Konzentration</translation>
    </message>
    <message>
        <source>components of B0</source>
        <translation>Komponenten von B0</translation>
    </message>
    <message>
        <source>echo times</source>
        <translation>Echozeiten</translation>
    </message>
    <message>
        <source>numbers</source>
        <translation>Anzahlen</translation>
    </message>
    <message>
        <source>radii</source>
        <translation>Radien</translation>
    </message>
    <message>
        <source>Δχ values</source>
        <translation>Werte von Δχ</translation>
    </message>
    <message>
        <source>{count} s</source>
        <translation>{count} s</translation>
    </message>
    <message>
        <source>{count} min</source>
        <translation>{count} min</translation>
    </message>
    <message>
        <source>Run (one geometry, about {time})</source>
        <translation>Starten (eine Geometrie, etwa {time})</translation>
    </message>
    <message>
        <source>Run ({count} geometries, about {time})</source>
        <translation>Starten ({count} Geometrien, etwa {time})</translation>
    </message>
    <message>
        <source>Enter how many pieces of bone</source>
        <translation>Anzahl der Knochenstücke eingeben</translation>
    </message>
    <message>
        <source>Enter a radius</source>
        <translation>Radius eingeben</translation>
    </message>
    <message>
        <source>Enter Δχ</source>
        <translation>Δχ eingeben</translation>
    </message>
    <message>
        <source>Enter a Δχ that is not zero</source>
        <translation>Ein Δχ ungleich null eingeben</translation>
    </message>
    <message>
        <source>Simulated one row.</source>
        <translation>Eine Zeile simuliert.</translation>
    </message>
    <message>
        <source>Simulated {count} rows.</source>
        <translation>{count} Zeilen simuliert.</translation>
    </message>
    <message>
        <source>Δχ {delta:g} ppm: χ rises by {slope:.3f} ppm per BV/TV ({low:.3f} to {high:.3f}), {off:.1%} off the line.</source>
        <translation>Δχ {delta:g} ppm: χ steigt um {slope:.3f} ppm je BV/TV ({low:.3f} bis {high:.3f}), {off:.1%} neben der Geraden.</translation>
    </message>
    <message>
        <source>R2′ is {off:.1%} off a line.</source>
        <translation>R2′ liegt {off:.1%} neben einer Geraden.</translation>
    </message>
    <message>
        <source>BV/TV {bvtv:.3f}, mean χ {chi}, R2′ {width}.</source>
        <translation>BV/TV {bvtv:.3f}, mittleres χ {chi}, R2′ {width}.</translation>
    </message>
    <message>
        <source>Over the echo times it is {decay:.1f} 1/s.</source>
        <translation>Über die Echozeiten ist es {decay:.1f} 1/s.</translation>
    </message>
</context>
<context>
    <name>gui.startup</name>
    <message>
        <source>Method: Diefenbach et al., Magnetic Resonance in Medicine 2019, doi 10.1002/mrm.27531.</source>
        <translation>Methode: Diefenbach et al., Magnetic Resonance in Medicine 2019, doi 10.1002/mrm.27531.</translation>
    </message>
</context>
</TS>
